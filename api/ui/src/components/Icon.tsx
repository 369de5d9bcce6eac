// Few line drawings of our own: an icon package would weigh more than the pages.
const paths = {
  now: 'M12 3v2M5.6 5.6 7 7M3 12h2M19 12h2M18.4 5.6 17 7M8 18v-5a4 4 0 0 1 8 0v5M6 20h12',
  alerts: 'M12 4 3 19h18L12 4ZM12 10v4M12 16.5v.5',
  inventory: 'M4 5h16v6H4ZM4 13h16v6H4ZM8 8h.01M8 16h.01',
  software: 'M12 3 4 7v10l8 4 8-4V7l-8-4ZM4 7l8 4 8-4M12 11v10',
  problems: 'M4 12a8 8 0 0 1 14-5.3L20 9M20 4v5h-5M20 12a8 8 0 0 1-14 5.3L4 15M4 20v-5h5',
  kpis: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  sources: 'M12 12h.01M8.5 8.5a5 5 0 0 0 0 7M15.5 8.5a5 5 0 0 1 0 7M5.6 5.6a9 9 0 0 0 0 12.8M18.4 5.6a9 9 0 0 1 0 12.8',
  tokens: 'M15 7a4 4 0 1 1-3.5 6L8 16.5V19H5v-3l6.2-6.2A4 4 0 0 1 15 7ZM16 10h.01',
  start: 'M5 21V4M5 5h12l-2.5 4L17 13H5',
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM16 16l4 4',
  theme: 'M12 4a8 8 0 1 0 0 16V4Z M12 4a8 8 0 0 1 0 16',
  help: 'M9.5 9a2.5 2.5 0 1 1 3.6 2.2c-.8.5-1.1 1-1.1 1.8M12 16.5v.5M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z',
  user: 'M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM5 20c.6-3.5 3.4-5.5 7-5.5s6.4 2 7 5.5',
  columns: 'M4 5h16v14H4ZM10 5v14M15 5v14',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  check: 'm5 12.5 4.5 4.5L19 7',
  service: 'M12 4v5M12 15v5M5 9h14v6H5ZM4 20h16M9 4h6',
  maintenance: 'M14.5 6.5a4 4 0 0 0-5 5L4 17l3 3 5.5-5.5a4 4 0 0 0 5-5L15 12l-3-3 2.5-2.5Z',
  history: 'M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 2',
  copy: 'M9 9h11v11H9ZM5 15H4V4h11v1',
  lock: 'M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  empty: 'M4 13 6.5 5h11L20 13v6H4v-6ZM4 13h5l1 2h4l1-2h5',
  broken: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM12 7.5v5.5M12 16v.5',
  external: 'M14 4h6v6M20 4l-9 9M18 14v5H5V6h5',
  audit: 'M7 4h10v16H7ZM10 8h4M10 12h4M10 16h2',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
