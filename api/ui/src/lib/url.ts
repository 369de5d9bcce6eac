import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

/** Reads and writes the query string: every filter lives there, so that a view can be sent to a colleague. */
export function useUrlState() {
  const search = useSearch();
  const [path, go] = useLocation();
  const at = window.location.pathname; // as it is encoded
  const params = useMemo(() => new URLSearchParams(search), [search]);
  const set = useCallback(
    (change: Record<string, string | null | undefined>) => {
      // A page that the reader has left may still have a timer: it must not call them back.
      if (window.location.pathname === at) go(withParams(at, search, change), { replace: true });
    },
    [go, at, path, search],
  );
  return [params, set] as const;
}

/** The address of path with change applied to its query; empty values leave it. */
export function withParams(path: string, search: string, change: Record<string, string | null | undefined>): string {
  const next = new URLSearchParams(search);
  for (const [k, v] of Object.entries(change)) {
    if (v === null || v === undefined || v === '') next.delete(k);
    else next.set(k, v);
  }
  const s = next.toString();
  return s ? `${path}?${s}` : path;
}
