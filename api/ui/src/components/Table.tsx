import { Menu } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { download, toCsv } from '../lib/csv';
import { useKeys } from '../lib/keys';
import { count } from '../lib/text';
import { useUrlState } from '../lib/url';
import { Icon } from './Icon';
import { Failed, Loading } from './State';

export interface Column<T> {
  id: string;
  label: string;
  /** What the cell shows. */
  cell: (row: T) => ReactNode;
  /** What CSV holds; without it the column is left out there. */
  text?: (row: T) => unknown;
  /** The API's name to sort by; without it the header does not sort. */
  sort?: string;
  /** lead: takes the room that is left, and is the title when rows become cards; fit: as wide as its content. */
  width?: 'lead' | 'fit' | string;
  align?: 'end';
  /** Hidden until chosen. */
  optional?: boolean;
  /** Comes before the title when rows become cards. */
  first?: boolean;
  /** No label in front of the value when rows become cards. */
  bare?: boolean;
}

export interface Rows<T> {
  items: T[];
  loading: boolean;
  error?: unknown;
  more?: boolean;
  loadingMore?: boolean;
  loadMore?: () => void;
  retry?: () => void;
}

export interface TableProps<T> {
  name: string;
  label: string;
  columns: Column<T>[];
  rows: Rows<T>;
  rowKey: (row: T) => string;
  href?: (row: T) => string | undefined;
  fresh?: (row: T) => boolean;
  empty: ReactNode;
  /** Reads every row that matches, page by page, for the CSV file. */
  all?: (progress: (n: number) => void) => Promise<T[]>;
  /** Rows stand in the page's own scroll instead of a scroll of their own. */
  short?: boolean;
  noun?: string;
  /** The default order, when the URL names none: "-last_seen". */
  order?: string;
}

/**
 * The dense table of every list. Rows beyond the screen are not drawn, so ten
 * thousand stay smooth; the choice of columns and the order live in the URL.
 */
export function Table<T>(p: TableProps<T>) {
  const [params, setParams] = useUrlState();
  const [, go] = useLocation();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActiveIndex] = useState(0);
  // The row that the reader is on, by its key: a list that is read anew may have it elsewhere.
  const on = useRef<{ key?: string; held: boolean }>({ held: false });
  const setActive = (i: number) => {
    on.current.key = p.rows.items[i] && p.rowKey(p.rows.items[i]);
    setActiveIndex(i);
  };
  const narrow = useNarrow(scroller);

  const chosen = params.get('cols')?.split(',') ?? savedColumns(p.name);
  const columns = useMemo(
    () => p.columns.filter((c) => (chosen ? chosen.includes(c.id) || c.width === 'lead' : !c.optional)),
    [p.columns, chosen?.join(',')],
  );
  const sort = params.get('sort') ?? p.order ?? '';
  const { items } = p.rows;

  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? 84 : 35),
    overscan: 12,
    getItemKey: (i) => p.rowKey(items[i]!),
    enabled: !p.short,
  });
  useEffect(() => virtual.measure(), [narrow]);
  const visible = p.short ? items.map((_, index) => ({ index, start: 0, end: 0, key: p.rowKey(items[index]!) })) : virtual.getVirtualItems();
  const before = p.short ? 0 : (visible[0]?.start ?? 0);
  const after = p.short ? 0 : virtual.getTotalSize() - (visible.at(-1)?.end ?? 0);

  // The next page is asked for before the reader arrives at the end.
  const last = visible.at(-1)?.index ?? 0;
  useEffect(() => {
    if (p.rows.more && !p.rows.loadingMore && last >= items.length - 40) p.rows.loadMore?.();
  }, [last, items.length, p.rows.more, p.rows.loadingMore]);

  const rowAt = (i: number) => scroller.current?.querySelector<HTMLElement>(`tr[data-index="${i}"]`);
  const focusRow = (i: number) => {
    const next = Math.max(0, Math.min(items.length - 1, i));
    setActive(next);
    on.current.held = true;
    if (!p.short) virtual.scrollToIndex(next, { align: 'auto' });
    // At once where it is drawn: the next key may come before the next frame.
    rowAt(next)?.focus({ preventScroll: !p.short });
    requestAnimationFrame(() => on.current.held && rowAt(next)?.focus({ preventScroll: !p.short }));
  };
  // During a storm rows move under the reader: the focus stays on the same record.
  useLayoutEffect(() => {
    const { key, held } = on.current;
    if (key === undefined) return;
    const now = items.findIndex((r) => p.rowKey(r) === key);
    if (now >= 0 && now !== active) setActiveIndex(now);
    if (held && document.activeElement === document.body) rowAt(now >= 0 ? now : Math.min(active, items.length - 1))?.focus({ preventScroll: true });
  }, [items]);
  useEffect(() => {
    const elsewhere = (e: Event) => {
      on.current.held = !!scroller.current?.contains(e.target as Node);
    };
    document.addEventListener('focusin', elsewhere);
    document.addEventListener('pointerdown', elsewhere);
    return () => {
      document.removeEventListener('focusin', elsewhere);
      document.removeEventListener('pointerdown', elsewhere);
    };
  }, []);
  const open = (i: number) => {
    const to = items[i] && p.href?.(items[i]);
    if (to) go(to);
  };
  const onKey = (e: KeyboardEvent) => {
    if ((e.target as HTMLElement).tagName !== 'TR') return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / 35) - 2);
    const moves: Record<string, number> = {
      ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: items.length - 1, PageDown: active + page, PageUp: active - page,
    };
    if (e.key in moves) {
      e.preventDefault();
      focusRow(moves[e.key]!);
    } else if (e.key === 'Enter') {
      open(active);
    }
  };
  const inTable = () => scroller.current?.contains(document.activeElement);
  useKeys({
    j: items.length ? () => focusRow(inTable() ? active + 1 : active) : undefined,
    k: items.length ? () => focusRow(inTable() ? active - 1 : active) : undefined,
    o: items.length ? () => open(active) : undefined,
  });

  const setSort = (key: string) => setParams({ sort: sort === key ? `-${key}` : sort === `-${key}` ? null : key });

  let body: ReactNode;
  if (p.rows.error && items.length === 0) body = <Failed error={p.rows.error} retry={p.rows.retry} />;
  else if (p.rows.loading) body = <Loading lines={12} />;
  else if (items.length === 0) body = p.empty;
  else
    body = (
      <table className="grid cards" role="table" aria-label={p.label} aria-rowcount={p.rows.more ? -1 : items.length + 1} onKeyDown={onKey}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((c) => {
              const dir = c.sort && sort === c.sort ? 'ascending' : c.sort && sort === `-${c.sort}` ? 'descending' : undefined;
              return (
                <th key={c.id} role="columnheader" scope="col" className={cls(c)} style={width(c)} aria-sort={dir}>
                  {c.sort ? (
                    <button type="button" onClick={() => setSort(c.sort!)}>
                      {c.label}
                      <span aria-hidden="true">{dir === 'ascending' ? '↑' : dir === 'descending' ? '↓' : ''}</span>
                    </button>
                  ) : (
                    c.label
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {before > 0 && <Pad height={before} span={columns.length} />}
          {visible.map((v) => (
            <Row key={v.key} row={items[v.index]!} index={v.index} columns={columns} active={v.index === active} href={p.href} fresh={p.fresh} measure={p.short ? undefined : virtual.measureElement} focus={setActive} go={go} />
          ))}
          {after > 0 && <Pad height={after} span={columns.length} />}
        </tbody>
      </table>
    );

  return (
    <div className="table-wrap">
      <div ref={scroller} className={`table-scroll ${p.short ? 'short' : ''}`} tabIndex={-1}>
        {body}
      </div>
      {!p.short && (
        <div className="table-foot">
          <span role="status">
            {p.rows.loading ? 'Loading' : count(items.length, p.noun ?? 'row')}
            {p.rows.more ? ' so far' : ''}
            {p.rows.error && items.length > 0 ? ' · not up to date: the server cannot be reached' : ''}
          </span>
          <span className="grow" />
          <ColumnChoice name={p.name} all={p.columns} shown={columns} set={(cols) => setParams({ cols })} />
          {p.all && <Csv name={p.name} columns={columns} all={p.all} />}
        </div>
      )}
    </div>
  );
}

interface RowProps<T> {
  row: T;
  index: number;
  columns: Column<T>[];
  active: boolean;
  href?: (row: T) => string | undefined;
  fresh?: (row: T) => boolean;
  measure?: (el: Element | null) => void;
  focus: (index: number) => void;
  go: (to: string) => void;
}

// A row is drawn anew only when it changed: while scrolling, that is what keeps
// a frame short.
const Row = memo(RowOf, (a, b) => a.row === b.row && a.index === b.index && a.active === b.active && a.columns === b.columns) as typeof RowOf;

function RowOf<T>({ row, index, columns, active, href, fresh, measure, focus, go }: RowProps<T>) {
  const to = href?.(row);
  return (
    <tr
      role="row"
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      tabIndex={active ? 0 : -1}
      className={`${to ? 'link' : ''} ${fresh?.(row) ? 'fresh' : ''}`}
      onFocus={(e) => e.target === e.currentTarget && focus(index)}
      onClick={(e) => {
        if ((e.target as HTMLElement).closest('a, button, input, select, summary') || !to || window.getSelection()?.toString()) return;
        if (e.metaKey || e.ctrlKey) window.open(to, '_blank');
        else go(to);
      }}
    >
      {columns.map((c) => {
        const content = c.cell(row);
        const blank = content === null || content === undefined || content === '';
        return (
          <td key={c.id} role="cell" className={`${cls(c)} ${blank ? 'blank' : ''} ${c.first ? 'first' : ''} ${c.width === 'lead' ? 'lead' : ''}`} data-label={c.bare ? undefined : c.label}>
            {content}
          </td>
        );
      })}
    </tr>
  );
}

function Pad({ height, span }: { height: number; span: number }) {
  return (
    <tr className="pad" aria-hidden="true">
      <td colSpan={span} style={{ height }} />
    </tr>
  );
}

function cls<T>(c: Column<T>) {
  return `${c.width === 'fit' ? 'fit' : ''} ${c.align === 'end' ? 'end' : ''}`.trim();
}
function width<T>(c: Column<T>) {
  return c.width && c.width !== 'fit' && c.width !== 'lead' ? { width: c.width } : undefined;
}

function savedColumns(name: string): string[] | undefined {
  return localStorage.getItem(`watchbill.cols.${name}`)?.split(',');
}

function ColumnChoice<T>({ name, all, shown, set }: { name: string; all: Column<T>[]; shown: Column<T>[]; set: (cols: string | null) => void }) {
  const ids = shown.map((c) => c.id);
  const choose = (next: string[]) => {
    const ordered = all.map((c) => c.id).filter((id) => next.includes(id));
    const standard = all.filter((c) => !c.optional).map((c) => c.id);
    const same = ordered.join() === standard.join();
    if (same) localStorage.removeItem(`watchbill.cols.${name}`);
    else localStorage.setItem(`watchbill.cols.${name}`, ordered.join(','));
    set(same ? null : ordered.join(','));
  };
  return (
    <Menu closeOnItemClick={false} position="top-end">
      <Menu.Target>
        <button type="button" className="toggle row" style={{ gap: 6 }}>
          <Icon name="columns" size={14} /> Columns
        </button>
      </Menu.Target>
      <Menu.Dropdown className="options" tabIndex={0} aria-label="Columns">
        {all
          .filter((c) => c.width !== 'lead')
          .map((c) => (
            <Menu.CheckboxItem key={c.id} checked={ids.includes(c.id)} onChange={(on) => choose(on ? [...ids, c.id] : ids.filter((i) => i !== c.id))}>
              {c.label}
            </Menu.CheckboxItem>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Csv<T>({ name, columns, all }: { name: string; columns: Column<T>[]; all: (progress: (n: number) => void) => Promise<T[]> }) {
  const [state, setState] = useState('');
  const cols = columns.filter((c) => c.text);
  const run = async () => {
    setState('0');
    try {
      const rows = await all((n) => setState(n.toLocaleString()));
      download(`watchbill-${name}-${new Date().toISOString().slice(0, 10)}.csv`, toCsv(cols.map((c) => c.label), rows.map((r) => cols.map((c) => c.text!(r)))));
      setState('');
    } catch {
      setState('failed');
    }
  };
  return (
    <button type="button" className="toggle row" style={{ gap: 6 }} onClick={() => void run()} disabled={state !== '' && state !== 'failed'}>
      <Icon name="download" size={14} /> {state === '' ? 'CSV' : state === 'failed' ? 'CSV failed: again' : `CSV ${state}`}
    </button>
  );
}

function useNarrow(ref: { current: HTMLElement | null }) {
  const [narrow, setNarrow] = useState(window.innerWidth < 700);
  useEffect(() => {
    if (!ref.current) return;
    const o = new ResizeObserver(([e]) => setNarrow((e?.contentRect.width ?? 1000) < 660));
    o.observe(ref.current);
    return () => o.disconnect();
  }, []);
  return narrow;
}
