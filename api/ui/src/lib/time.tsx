import { useSyncExternalStore } from 'react';

// One clock for all relative times on a page: thousands of rows must not each own a timer.
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(f: () => void) {
  listeners.add(f);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const l of listeners) l();
  }, 10_000);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The current time, renewed every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

const units: [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** A length of time in at most two units: "3 h 20 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  let left = Math.round(Math.abs(seconds));
  if (left === 0) return seconds > 0 && seconds < 0.5 ? '< 1 s' : '0 s';
  const out: string[] = [];
  for (const [size, name] of units) {
    const n = Math.floor(left / size);
    if (n > 0) {
      out.push(`${n} ${name}`);
      left -= n * size;
      if (out.length === 2) break;
    } else if (out.length > 0) {
      break;
    }
  }
  return out.join(' ');
}

/** The seconds of a length of time as Go writes it: "1h2m3.5s". */
export function ofGo(text: string): number {
  const sizes: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, 'µs': 1e-6, ns: 1e-9 };
  let s = 0;
  for (const [, n, unit] of text.matchAll(/([\d.]+)(h|ms|m|s|µs|ns)/g)) s += Number(n) * sizes[unit!]!;
  return text.startsWith('-') ? -s : s;
}

/** A length of time in one unit, for narrow columns: "3 h". */
export function age(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  for (const [size, name] of units) if (s >= size) return `${Math.floor(s / size)} ${name}`;
  return 'now';
}

/** "4 min ago", "in 2 h", "now". */
export function relative(at: number, from: number): string {
  const s = (from - at) / 1000;
  if (Math.abs(s) < 10) return 'now';
  return s > 0 ? `${age(s)} ago` : `in ${age(-s)}`;
}

const absoluteFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
const clockFormat = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** The moment in the reader's zone, and in UTC for the log files. */
export function absolute(at: Date): string {
  return `${absoluteFormat.format(at)} · ${at.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}`;
}

/** The moment on the reader's clock. */
export function clock(at: string): string {
  return clockFormat.format(new Date(at));
}

/** True for a moment that has happened; Go writes year 1 for "never". */
export function known(at?: string | null): at is string {
  return !!at && !at.startsWith('0001-');
}

/** A moment: relative or on the reader's clock, with the absolute time on hover. */
export function Time({ at, mode = 'ago' }: { at?: string | null; mode?: 'ago' | 'age' | 'clock' }) {
  const current = useNow();
  if (!known(at)) return <span className="muted">–</span>;
  const d = new Date(at);
  const text = mode === 'clock' ? clockFormat.format(d) : mode === 'age' ? age((current - d.getTime()) / 1000) : relative(d.getTime(), current);
  return (
    <time dateTime={at} title={absolute(d)} className="num nowrap">
      {text}
    </time>
  );
}

/** The local date some days ago, as the API takes it. */
export function daysAgo(days: number): string {
  const d = new Date();
  d.setDate(d.getDate() - days);
  return localInput(d).slice(0, 10);
}

/** A moment as a datetime-local field wants it, on the reader's clock. */
export function localInput(d: Date): string {
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
