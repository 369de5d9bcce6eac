import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import type { IconName } from '../components/Icon';
import type { Rows } from '../components/Table';
import { api, must, type Schemas } from './client';

export type Incident = Schemas['Incident'];
export type Alert = Schemas['Alert'];
export type Problem = Schemas['ProblemRecord'];
export type TimelineEntry = Schemas['TimelineEntry'];
export type Source = Schemas['Source'];
export type Token = Schemas['Token'];
export type User = Schemas['User'];
export type Role = Schemas['Who']['role'];
export type Verb = 'acknowledge' | 'assign' | 'hold' | 'resume' | 'resolve' | 'close' | 'reopen' | 'cancel' | 'notes' | 'merge' | 'split' | 'major' | 'minor' | 'edit';

export interface Me {
  name: string;
  user?: string;
  /** How records name them. */
  actor: string;
  role: Role;
  password: boolean;
  version: string;
}

export interface List {
  q?: string;
  sort?: string;
  limit?: number;
  cursor?: string;
}
export interface PageOf<T> {
  items: T[];
  next: string | null;
  total?: number;
}

/** Who is signed in; null when nobody is. */
export function useMe() {
  return useQuery({
    queryKey: ['me'],
    queryFn: async (): Promise<Me> => {
      const w = await must(api.GET('/api/v1/session'));
      return { name: w.user || w.actor, user: w.user, actor: w.actor, role: w.role, password: w.password, version: w.version };
    },
    retry: false,
    staleTime: 5 * 60_000,
  });
}

const ranks: Role[] = ['viewer', 'responder', 'manager', 'admin'];

/** Whether the signed-in person has at least the role. What they may not do is not offered. */
export function useMay(role: Role): boolean {
  const me = useMe();
  return !!me.data && ranks.indexOf(me.data.role) >= ranks.indexOf(role);
}

export async function signOut() {
  await api.POST('/api/v1/logout');
  location.assign('/');
}

/** A list that grows by its cursor as the reader comes to its end. */
export function usePaged<T>(key: QueryKey, fetch: (cursor: string | undefined) => Promise<PageOf<T>>, enabled = true, refetchInterval: number | false = false): Rows<T> & { total?: number } {
  const q = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => fetch(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
    enabled,
    refetchInterval,
  });
  const items = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  return {
    items,
    total: q.data?.pages[0]?.total,
    loading: q.isPending && enabled,
    error: q.error,
    more: q.hasNextPage,
    loadingMore: q.isFetchingNextPage || q.isPlaceholderData,
    loadMore: () => void q.fetchNextPage(),
    retry: () => void q.refetch(),
  };
}

/** Reads a list to its end, for files. */
export async function readAll<T>(fetch: (cursor: string | undefined) => Promise<PageOf<T>>, progress?: (n: number) => void): Promise<T[]> {
  const out: T[] = [];
  let cursor: string | undefined;
  do {
    const p = await fetch(cursor);
    out.push(...p.items);
    progress?.(out.length);
    cursor = p.next ?? undefined;
  } while (cursor);
  return out;
}

/** Leaves out what is not set: the API refuses empty parameters. */
function clean<T extends object>(l: T): T {
  return Object.fromEntries(Object.entries(l).filter(([, v]) => v !== undefined && v !== '')) as T;
}

export const fetchIncidents = (l: List) => must(api.GET('/api/v1/incidents', { params: { query: clean(l) } }));
export const fetchAlerts = (l: List) => must(api.GET('/api/v1/alerts', { params: { query: clean(l) } }));
export const fetchProblems = (l: List) => must(api.GET('/api/v1/problems', { params: { query: clean(l) } }));

export function useIncidents(l: List, enabled = true) {
  return usePaged<Incident>(['incidents', l], (cursor) => fetchIncidents({ limit: 100, ...l, cursor }), enabled);
}
export function useAlerts(l: List, enabled = true) {
  return usePaged<Alert>(['alerts', l], (cursor) => fetchAlerts({ limit: 200, ...l, cursor }), enabled);
}
export function useProblems(l: List) {
  return usePaged<Problem>(['problems', l], (cursor) => fetchProblems({ limit: 200, ...l, cursor }));
}

/** How many incidents are open, and how many of them nobody has acknowledged, in words short enough for a badge. */
export function useOpenCount() {
  const most = 20;
  const status = useStatus();
  const q = useQuery({ queryKey: ['incidents', 'count'], queryFn: () => fetchIncidents({ sort: 'attention', q: 'acknowledged:no', limit: most }), refetchInterval: 60_000 });
  const n = q.data?.items.length ?? 0;
  return { total: status.data?.open_incidents ?? 0, unacknowledged: n, badge: n > 0 ? `${n}${q.data?.next ? '+' : ''}` : String(status.data?.open_incidents ?? 0) };
}

export function useIncident(id: string, enabled = true) {
  return useQuery({ queryKey: ['incident', id], enabled, queryFn: () => must(api.GET('/api/v1/incidents/{id}', { params: { path: { id } } })) });
}
export function useIncidentAlerts(id: string) {
  return usePaged<Alert>(['alerts', 'incident', id], (cursor) => must(api.GET('/api/v1/incidents/{id}/alerts', { params: { path: { id }, query: { limit: 500, cursor } } })));
}
export function useTimeline(kind: 'incidents' | 'problems' | 'maintenance', id: string) {
  return useQuery({
    queryKey: ['timeline', id],
    queryFn: () => readAll<TimelineEntry>((cursor) => must(api.GET(`/api/v1/${kind}/{id}/timeline`, { params: { path: { id }, query: { limit: 1000, cursor } } }))),
  });
}
export function useAlert(id: string, enabled = true) {
  return useQuery({ queryKey: ['alert', id], enabled, queryFn: () => must(api.GET('/api/v1/alerts/{id}', { params: { path: { id } } })) });
}
/** Other replicas' views of the same alert, which are part of no incident. */
export function useViews(a: Alert | undefined): Alert[] {
  // By its item or among the active ones: each has an index, the alert that replicas share has none.
  const where = a?.binding ? `ci:${quoted(a.binding.ci)}` : a?.status === 'firing' || a?.status === 'stale' ? 'status:active' : undefined;
  const q = useQuery({
    queryKey: ['alerts', 'views', a?.canonical, where],
    enabled: !!where,
    queryFn: () => fetchAlerts({ q: `${where} canonical:${a!.canonical} fate:duplicate`, limit: 20 }),
  });
  return (q.data?.items ?? none).filter((o) => o.id !== a?.id && !o.incident);
}
export function useProblem(id: string, enabled = true) {
  return useQuery({ queryKey: ['problem', id], enabled, queryFn: () => must(api.GET('/api/v1/problems/{id}', { params: { path: { id } } })) });
}
export function useProblemIncidents(id: string) {
  return usePaged<Incident>(['incidents', 'problem', id], (cursor) => must(api.GET('/api/v1/problems/{id}/incidents', { params: { path: { id }, query: { limit: 200, cursor } } })));
}

export type ProblemVerb = 'assess' | 'root_cause' | 'fix' | 'known_error' | 'workaround' | 'assign' | 'resolve' | 'close' | 'reopen' | 'software' | 'link' | 'unlink' | 'notes' | 'edit';

/** Does a problem's verb; what it changed is read anew. */
export function useProblemVerb(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ verb, body }: { verb: ProblemVerb; body?: Record<string, unknown> }): Promise<Problem> => {
      const init = { params: { path: { id } }, body: (body ?? {}) as never };
      if (verb === 'edit') return must(api.PATCH('/api/v1/problems/{id}', init));
      return must(api.POST(`/api/v1/problems/{id}/${verb}` as '/api/v1/problems/{id}/assess', init));
    },
    onSuccess: (doc) => {
      client.setQueryData(['problem', id], doc);
      void client.invalidateQueries({ queryKey: ['timeline', id] });
      void client.invalidateQueries({ queryKey: ['problems'] });
      void client.invalidateQueries({ queryKey: ['incidents', 'problem', id] });
    },
    onError: () => void client.invalidateQueries({ queryKey: ['problem', id] }),
  });
}

/** Does a verb; what it changed is read anew. */
export function useVerb(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ verb, body }: { verb: Verb; body?: Record<string, unknown> }): Promise<Incident> => {
      const init = { params: { path: { id } }, body: (body ?? {}) as never };
      if (verb === 'edit') return must(api.PATCH('/api/v1/incidents/{id}', init));
      return must(api.POST(`/api/v1/incidents/{id}/${verb}` as '/api/v1/incidents/{id}/acknowledge', init));
    },
    onSuccess: (doc) => {
      if (doc.id === id) client.setQueryData(['incident', id], doc);
      void client.invalidateQueries({ queryKey: ['timeline', id] });
      void client.invalidateQueries({ queryKey: ['incidents'] });
      void client.invalidateQueries({ queryKey: ['alerts', 'incident', id] });
    },
    // A refusal means that somebody else was faster: show what is now.
    onError: () => void client.invalidateQueries({ queryKey: ['incident', id] }),
  });
}

export function useSources() {
  return useQuery({ queryKey: ['sources'], queryFn: () => must(api.GET('/api/v1/sources', { params: { query: { limit: 1000 } } })), refetchInterval: 30_000 });
}
export function useStatus() {
  return useQuery({ queryKey: ['status'], queryFn: () => must(api.GET('/api/v1/status')), refetchInterval: 10_000 });
}

/** Records by a few letters, for the palette. */
export interface Found {
  to: string;
  label: string;
  description: string;
  icon: IconName;
}

export function useFind(text: string): Found[] {
  const [settled, setSettled] = useState('');
  useEffect(() => {
    const t = setTimeout(() => setSettled(text.trim()), 150);
    return () => clearTimeout(t);
  }, [text]);
  const q = useQuery({
    queryKey: ['find', settled],
    enabled: settled.length > 1,
    queryFn: async (): Promise<Found[]> => {
      const words = settled.split(/\s+/).map(quoted).join(' ');
      const [incidents, cis, problems] = await Promise.allSettled([fetchIncidents({ q: words, limit: 5 }), fetchCis({ q: words, limit: 5 }), fetchProblems({ q: words, limit: 3 })]);
      const out: Found[] = [];
      if (incidents.status === 'fulfilled') for (const i of incidents.value.items) out.push({ to: `/incidents/${i.id}`, label: `${i.id} ${i.title}`, description: `Incident · P${i.priority} · ${i.state.replace('_', ' ')}`, icon: 'now' });
      if (cis.status === 'fulfilled') for (const c of cis.value.items) out.push({ to: `/inventory/${encodeURIComponent(c.id)}`, label: c.name, description: `Inventory · ${c.class}`, icon: 'inventory' });
      if (problems.status === 'fulfilled') for (const p of problems.value.items) out.push({ to: `/problems/${p.id}`, label: `${p.id} ${p.title}`, description: 'Problem', icon: 'problems' });
      return out;
    },
  });
  return settled === text.trim() ? (q.data ?? none) : none;
}
const none: never[] = [];

/** A word as text of the filter language, whatever stands in it. */
export function quoted(w: string): string {
  return `"${w.replaceAll('\\', '').replaceAll('"', '')}"`;
}

// Inventory.

export type Ci = Schemas['CI'];
export type CiDetail = Schemas['CIDetail'];
export type Graph = Schemas['Graph'];
export type HistoryEntry = Schemas['Entry'];
export type Product = Schemas['Product'];

export interface SoftwareList {
  q?: string;
  type?: string;
  cis?: string;
  limit?: number;
  cursor?: string;
}

export const fetchCis = (l: List) => must(api.GET('/api/v1/cis', { params: { query: clean(l) } }));
export const fetchSoftware = (l: SoftwareList) => must(api.GET('/api/v1/software', { params: { query: clean(l) } }));

/** The stream tells what changed; that a host was merely seen again is no change, so its age is asked for. */
const often = 60_000;

export function useCis(l: List, enabled = true, every: number | false = false) {
  return usePaged<Ci>(['cis', l], (cursor) => fetchCis({ limit: 200, ...l, cursor }), enabled, every);
}
const one = (id: string) => ({ params: { path: { id } } });

export function useCi(id: string) {
  return useQuery({ queryKey: ['ci', id], refetchInterval: often, queryFn: () => must(api.GET('/api/v1/cis/{id}', one(id))) });
}
export function useGraph(id: string, hops: number, enabled = true) {
  return useQuery({ queryKey: ['ci', id, 'graph', hops], enabled, retry: false, queryFn: () => must(api.GET('/api/v1/cis/{id}/graph', { params: { path: { id }, query: { hops, limit: 400 } } })) });
}
export function useHistory(id: string) {
  return usePaged<HistoryEntry>(['ci', id, 'history'], (cursor) => must(api.GET('/api/v1/cis/{id}/history', { params: { path: { id }, query: { limit: 200, cursor } } })));
}
export function useSection<T>(id: string, section: string) {
  return useQuery({ queryKey: ['ci', id, 'section', section], refetchInterval: often, queryFn: () => must(api.GET('/api/v1/cis/{id}/sections/{section}', { params: { path: { id, section } } })) as Promise<T> });
}
export function useImpact(id: string) {
  return useQuery({ queryKey: ['ci', id, 'impact'], retry: false, queryFn: () => must(api.GET('/api/v1/cis/{id}/impact', one(id))) });
}
export function useSoftware(l: SoftwareList) {
  return usePaged<Product>(['software', l], (cursor) => fetchSoftware({ limit: 200, ...l, cursor }));
}
export function useClasses() {
  return useQuery({ queryKey: ['classes'], queryFn: () => must(api.GET('/api/v1/classes')), staleTime: 10 * 60_000 });
}

// KPIs.

export type KpiReport = Schemas['Report'];
export type KpiGroup = Schemas['KPIs'];

export function useKpis(from: string, by: string) {
  const tz = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return useQuery({
    queryKey: ['kpis', from, by],
    queryFn: () => must(api.GET('/api/v1/kpis', { params: { query: { from, by, tz } } })) as Promise<KpiReport>,
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });
}

// Credentials and people.

export function useTokens(agents: boolean) {
  return usePaged<Token>(['tokens', agents], (cursor) => must(api.GET('/api/v1/tokens', { params: { query: { limit: 500, cursor, agents: agents || undefined } } })));
}
export function useUsers(enabled: boolean) {
  return usePaged<User>(['users'], (cursor) => must(api.GET('/api/v1/users', { params: { query: { limit: 500, cursor } } })), enabled);
}
export function useAudit(l: List) {
  return usePaged<Schemas['Audit']>(['audit', l], (cursor) => must(api.GET('/api/v1/audit', { params: { query: clean({ limit: 200, ...l, cursor }) } })));
}

