import type { Query, QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

export type LiveState = 'connecting' | 'live' | 'lost';

export interface StreamChange {
  kind: string;
  id: string;
}

let state: LiveState = 'connecting';
const listeners = new Set<() => void>();

function become(s: LiveState) {
  if (s === state) return;
  state = s;
  for (const l of listeners) l();
}

/** Whether changes arrive at the moment. */
export function useLive(): LiveState {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    () => state,
  );
}

/** Which cached reads a changed record touches, as the first elements of their keys. */
export function touched(changes: StreamChange[]): string[][] {
  const keys = new Map<string, string[]>();
  const add = (...k: string[]) => keys.set(k.join('/'), k);
  for (const c of changes) {
    add(`${c.kind}s`);
    if (c.id) add(c.kind, c.id);
    else add(c.kind); // very many of the kind
    if (c.kind === 'alert') add('sources');
    if (c.kind === 'incident' || c.kind === 'problem' || c.kind === 'maintenance') add('timeline', c.id);
    if (c.kind === 'incident' || c.kind === 'ci') add('services');
    if (c.kind === 'ci') add('software');
  }
  return [...keys.values()];
}

/**
 * Follows the server's stream and marks what changed as stale. The stream may
 * break at any time: the browser comes back with the last position it saw and
 * gets what it missed, and where that cannot be, everything on screen is read
 * anew. Returns its end.
 */
export function follow(url: string, client: QueryClient): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let flush: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let wait = 1000;
  let opened = false;
  let fresh = true;
  let ended = false;
  let waiting: StreamChange[] = [];

  // A storm changes hundreds of records a second; the page reads at most twice in one.
  const soon = () => {
    flush ??= setTimeout(() => {
      flush = undefined;
      const keys = touched(waiting);
      waiting = [];
      let later = false;
      // A list that was scrolled far is read anew page by page: not more often than it may cost.
      const predicate = (q: Query) => {
        const far = ((q.state.data as { pages?: unknown[] } | undefined)?.pages?.length ?? 0) > 3 && Date.now() - q.state.dataUpdatedAt < 30_000;
        later ||= far;
        return !far;
      };
      for (const queryKey of keys) void client.invalidateQueries({ queryKey, predicate });
      if (later && !ended) again ??= setTimeout(() => {
        again = undefined;
        void client.invalidateQueries({ predicate: (q) => ((q.state.data as { pages?: unknown[] } | undefined)?.pages?.length ?? 0) > 3 });
      }, 30_000);
    }, 500);
  };
  const heard = (e: MessageEvent<string>) => {
    try {
      waiting.push(JSON.parse(e.data) as StreamChange);
      soon();
    } catch {
      void client.invalidateQueries();
    }
  };
  const connect = () => {
    source = new EventSource(url, { withCredentials: true });
    source.onopen = () => {
      wait = 1000;
      // The server sends what was missed to who names the last event; a new
      // connection after an HTTP error cannot, so it reads everything anew.
      if (fresh && opened) void client.invalidateQueries();
      opened = true;
      fresh = false;
      become('live');
    };
    for (const kind of ['incident', 'alert', 'problem', 'maintenance', 'ci', 'task']) source.addEventListener(kind, heard as EventListener);
    source.addEventListener('reset', () => void client.invalidateQueries());
    source.onerror = () => {
      become('lost');
      // The browser reconnects by itself unless the answer was an HTTP error.
      if (source?.readyState !== EventSource.CLOSED || ended) return;
      fresh = true;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, 30_000);
    };
  };
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    clearTimeout(flush);
    clearTimeout(again);
    source?.close();
    become('connecting');
  };
}
