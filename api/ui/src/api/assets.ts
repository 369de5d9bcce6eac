import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, faultOf, must, type Schemas } from './client';
import { usePaged, type List } from './queries';

// What asset managers ask and do beside lists of items.

export type Task = Schemas['Task'];
export type ImportReport = Schemas['ImportReport'];
export type View = Schemas['View'];
export type Service = Schemas['Service'];
export type Maintenance = Schemas['Maintenance'];

export function useTasks(all: boolean) {
  return usePaged<Task>(['tasks', all], (cursor) => must(api.GET('/api/v1/tasks', { params: { query: { limit: 100, all: all || undefined, cursor } } })));
}
/** How many tasks wait, for a badge: at most a page is counted. */
export function useTaskCount() {
  const q = useQuery({ queryKey: ['tasks', 'count'], queryFn: () => must(api.GET('/api/v1/tasks', { params: { query: { limit: 100 } } })) });
  const n = q.data?.items.length ?? 0;
  return n === 0 ? '' : `${n}${q.data?.next ? '+' : ''}`;
}
export function useMerges() {
  return usePaged<Schemas['Merge']>(['tasks', 'merges'], (cursor) => must(api.GET('/api/v1/merges', { params: { query: { limit: 50, cursor } } })));
}
export function useViews() {
  return useQuery({ queryKey: ['views'], queryFn: () => must(api.GET('/api/v1/views', { params: { query: { limit: 1000 } } })) });
}
export function useQuality() {
  return useQuery({ queryKey: ['cis', 'quality'], queryFn: () => must(api.GET('/api/v1/quality')) });
}
export function useEndings(q: string | undefined, within: string) {
  return useQuery({ queryKey: ['cis', 'endings', q, within], queryFn: () => must(api.GET('/api/v1/endings', { params: { query: { q, within, limit: 1000 } } })) });
}
export function useServices(q?: string) {
  return useQuery({ queryKey: ['services', q], queryFn: () => must(api.GET('/api/v1/services', { params: { query: { q: q || undefined, limit: 1000 } } })) });
}
export function useProposals(enabled: boolean) {
  return useQuery({ queryKey: ['services', 'proposals'], enabled, queryFn: () => must(api.GET('/api/v1/service-proposals', { params: { query: { limit: 20 } } })) });
}
export function useHealth(id: string) {
  return useQuery({ queryKey: ['ci', id, 'health'], queryFn: () => must(api.GET('/api/v1/cis/{id}/health', { params: { path: { id } } })) });
}
export function useSinglePoints(id: string) {
  return useQuery({ queryKey: ['ci', id, 'single-points'], queryFn: () => must(api.GET('/api/v1/cis/{id}/single-points', { params: { path: { id } } })) });
}
export function useDiff(id: string, other: { with?: string; at?: string; with_at?: string }, enabled: boolean) {
  return useQuery({ queryKey: ['ci', id, 'diff', other], enabled, retry: false, queryFn: () => must(api.GET('/api/v1/cis/{id}/diff', { params: { path: { id }, query: { ...other, limit: 1000 } } })) });
}

/** Sends a CSV file; with dryRun nothing is changed. */
export async function importCsv(text: string, o: { class?: string; source?: string; dryRun: boolean }): Promise<ImportReport> {
  const query = new URLSearchParams({ dry_run: String(o.dryRun) });
  if (o.class) query.set('class', o.class);
  if (o.source) query.set('source', o.source);
  const r = await fetch(`/api/v1/cis/csv?${query}`, { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'text/csv' }, body: text });
  const body: unknown = await r.json().catch(() => undefined);
  if (!r.ok) throw faultOf(r.status, body);
  return body as ImportReport;
}

/** A change of the inventory; what it may touch is read anew. */
export function useAssetAct<A, R>(act: (a: A) => Promise<R>, done?: (r: R) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (r) => {
      for (const k of ['cis', 'ci', 'tasks', 'services', 'views', 'software']) void client.invalidateQueries({ queryKey: [k] });
      done?.(r);
    },
  });
}

export function useMaintenances(open: boolean) {
  return usePaged<Maintenance>(['maintenances', open], (cursor) => must(api.GET('/api/v1/maintenance', { params: { query: { limit: 100, open: open || undefined, cursor } } })));
}
export function useMaintenance(id: string) {
  return useQuery({ queryKey: ['maintenance', id], queryFn: () => must(api.GET('/api/v1/maintenance/{id}', { params: { path: { id } } })) });
}
export function useWindowAct<A>(act: (a: A) => Promise<Maintenance>, done?: (m: Maintenance) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (m) => {
      client.setQueryData(['maintenance', m.id], m);
      void client.invalidateQueries({ queryKey: ['maintenances'] });
      void client.invalidateQueries({ queryKey: ['timeline', m.id] });
      done?.(m);
    },
  });
}
export type { List };
