import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, type ReactNode } from 'react';
import { Link } from 'wouter';
import { api, must, type Schemas } from '../api/client';
import { quoted } from '../api/queries';
import { Toggle } from '../components/bits';
import { FilterText } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column, type Rows } from '../components/Table';
import { AlertTabs } from '../components/Tabs';
import { count, words } from '../lib/text';
import { duration, ofGo } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

type Rule = Schemas['RuleHygiene'];
type Pair = Schemas['RulePair'];
type Report = Schemas['HygieneReport'];

/** Each finding as a chip and a filter, and what its rule's owner may do about it. */
const findings: Record<string, { label: string; advice: string }> = {
  never_acted: { label: 'Never acted on', advice: 'Three incidents or more, and nobody acknowledged or resolved one: a lower severity may do, or no rule at all.' },
  flapping: { label: 'Flapping', advice: 'The same alert came six times or more within a day: a longer “for”, or “keep_firing_for”, makes one alert of them.' },
  never_bound: { label: 'Never bound', advice: 'No alert names an item of the inventory: a label such as instance, node or service tells what it is about, and lets it be grouped.' },
  never_opened: { label: 'Always held', advice: 'All its alerts ended while they were held, none opened an incident: people never saw it.' },
  long_firing: { label: 'Fires for days', advice: 'Some of its alerts fired for seven days or more: nobody waits for it to end.' },
};
const spans = [7, 30, 90, 365];
const together = 'together';

/** The report; no change in the stream has it read anew, because it looks at every alert of its days. */
function useHygiene(days: number) {
  return useQuery({ queryKey: ['hygiene', days], queryFn: () => must(api.GET('/api/v1/hygiene', { params: { query: { days } } })), staleTime: 60_000, placeholderData: keepPreviousData });
}

/** The alerts behind a number. */
const alertsOf = (since: string, ...rules: string[]) => `/alerts?show=all&q=${encodeURIComponent(`name:${rules.map(quoted).join(',')} first_received>=${since.slice(0, 10)}`)}`;
/** The incidents behind a number; the report names the newest. */
const incidentsOf = (ids: string[]) => `/incidents?show=all&q=${encodeURIComponent(`id:${ids.join(',')}`)}`;

const orders: Record<string, (r: Rule) => number | string> = {
  rule: (r) => r.rule.toLowerCase(), alerts: (r) => r.alerts, incidents: (r) => r.incidents, acted: (r) => share(r.acted, r.incidents), held: (r) => r.held,
  bound: (r) => share(r.bound, r.alerts), most: (r) => r.most_in_day, longest: (r) => ofGo(r.longest),
};
const share = (part: number, whole: number) => (whole ? part / whole : 2);

function ruleColumns(rep: Report): Column<Rule>[] {
  const behind = (r: Rule) => rep.recent_incidents[r.rule] ?? [];
  const number = (n: number) => (n ? n.toLocaleString() : <span className="muted">0</span>);
  return [
    { id: 'rule', label: 'Rule', width: 'lead', sort: 'rule', bare: true, cell: (r) => <Link href={alertsOf(rep.since, r.rule)} className="primary" title={`${r.rule}: ${r.text}`}>{r.rule}</Link>, text: (r) => r.rule },
    {
      id: 'findings', label: 'Found', width: 'fit', bare: true,
      cell: (r) => <span className="row" style={{ gap: 4, flexWrap: 'nowrap' }} title={r.text}>{r.findings.map((f) => <span key={f} className="chip">{findings[f]?.label ?? words(f)}</span>)}</span>,
      text: (r) => r.text,
    },
    { id: 'alerts', label: 'Alerts', width: 'fit', align: 'end', sort: 'alerts', cell: (r) => <Link href={alertsOf(rep.since, r.rule)}>{r.alerts.toLocaleString()}</Link>, text: (r) => r.alerts },
    { id: 'incidents', label: 'Incidents', width: 'fit', align: 'end', sort: 'incidents', cell: (r) => (behind(r).length ? <Link href={incidentsOf(behind(r))} title={r.incidents > behind(r).length ? `the newest ${behind(r).length}` : undefined}>{r.incidents.toLocaleString()}</Link> : number(r.incidents)), text: (r) => r.incidents },
    { id: 'acted', label: 'Acted on', width: 'fit', align: 'end', sort: 'acted', cell: (r) => (r.incidents ? `${r.acted} of ${r.incidents}` : null), text: (r) => r.acted },
    { id: 'held', label: 'Held to the end', width: 'fit', align: 'end', sort: 'held', cell: (r) => number(r.held), text: (r) => r.held },
    { id: 'bound', label: 'Bound', width: 'fit', align: 'end', sort: 'bound', cell: (r) => `${Math.round((100 * r.bound) / r.alerts)} %`, text: (r) => r.bound },
    { id: 'most', label: 'Most in a day', width: 'fit', align: 'end', sort: 'most', cell: (r) => r.most_in_day, text: (r) => r.most_in_day },
    { id: 'longest', label: 'Longest', width: 'fit', align: 'end', sort: 'longest', optional: true, cell: (r) => duration(ofGo(r.longest)), text: (r) => r.longest },
  ];
}

function pairColumns(rep: Report): Column<Pair>[] {
  const both = (p: Pair) => p.rules.map((r) => rep.recent_incidents[r] ?? []).reduce((a, b) => a.filter((id) => b.includes(id)));
  return [
    {
      id: 'rules', label: 'Rules', width: 'lead', bare: true,
      cell: (p) => p.rules.map((r, n) => <span key={r}>{n > 0 && <span className="muted"> and </span>}<Link href={alertsOf(rep.since, r)} className="primary">{r}</Link></span>),
      text: (p) => p.rules.join(' and '),
    },
    { id: 'incidents', label: 'In the same incidents', width: 'fit', align: 'end', cell: (p) => (both(p).length ? <Link href={incidentsOf(both(p))}>{p.incidents.toLocaleString()}</Link> : p.incidents), text: (p) => p.incidents },
    { id: 'alerts', label: 'Alerts', width: 'fit', bare: true, cell: (p) => <Link href={alertsOf(rep.since, ...p.rules)}>Alerts of both</Link> },
  ];
}

/** Which rules cost attention without being of use: work for those who write them. */
export default function Hygiene() {
  const [params, set] = useUrlState();
  const days = spans.find((d) => String(d) === params.get('days')) ?? 30;
  const show = params.get('show') ?? 'all';
  const q = useHygiene(days);
  const rep = q.data;
  const text = (params.get('q') ?? '').toLowerCase();
  const sort = params.get('sort') ?? '-alerts';
  useTitle('Rule hygiene');

  const rules = useMemo(() => {
    const by = orders[sort.replace('-', '')] ?? orders.alerts!;
    const down = sort.startsWith('-') ? -1 : 1;
    return (rep?.rules ?? [])
      .filter((r) => (show === 'all' || r.findings.includes(show)) && r.rule.toLowerCase().includes(text))
      .sort((a, b) => (by(a) < by(b) ? -down : by(a) > by(b) ? down : 0));
  }, [rep, show, text, sort]);
  const pairs = useMemo(() => (rep?.together ?? []).filter((p) => p.rules.some((r) => r.toLowerCase().includes(text))), [rep, text]);
  const columns = useMemo(() => (rep ? { rules: ruleColumns(rep), pairs: pairColumns(rep) } : undefined), [rep]);

  const choices: [string, string, number][] = [
    ['all', 'All findings', rep?.rules.length ?? 0],
    ...Object.entries(findings).map(([id, f]): [string, string, number] => [id, f.label, rep?.rules.filter((r) => r.findings.includes(id)).length ?? 0]),
    [together, 'Always together', rep?.together.length ?? 0],
  ];
  const advice = show === together ? 'Nine of ten incidents with one of the two have the other as well: one rule, or an inhibition in Alertmanager, may be enough.' : findings[show]?.advice;
  const of = <T,>(items: T[]): Rows<T> => ({ items, loading: q.isPending, error: q.error, retry: () => void q.refetch() });
  const empty = text ? (
    <State icon="search" title="No rule of that name has a finding" action={<Button variant="default" onClick={() => set({ q: null })}>Clear the filter</Button>} />
  ) : rep?.alerts === 0 ? (
    <State icon="alerts" title={`No alert came within ${days} days`} action={<Button component={Link} href="/sources" variant="default">Look at the sources</Button>}>The report is made from the alerts that were received.</State>
  ) : (
    <State icon="check" title={show === 'all' ? 'Nothing is wrong with the rules' : 'No rule has this finding'} action={show !== 'all' && <Button variant="default" onClick={() => set({ show: null })}>Show all findings</Button>}>
      {rep && `${count(rep.alerts, 'alert')} of the last ${days} days were looked at.`}
    </State>
  );
  let table: ReactNode;
  if (show === together)
    table = <Table key="pairs" name="hygiene-pairs" label="Rules that always come together" noun="pair" columns={columns?.pairs ?? []} rows={of(pairs)} rowKey={(p) => p.rules.join('\n')} empty={empty} all={async () => pairs} />;
  else
    table = <Table key="rules" name="hygiene" label="Rules with findings" noun="rule" columns={columns?.rules ?? []} rows={of(rules)} rowKey={(r) => r.rule} href={(r) => alertsOf(rep!.since, r.rule)} order="-alerts" empty={empty} all={async () => rules} />;

  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Alerts</h1>
        {rep && <p className="meta">{count(rep.alerts, 'alert')} looked at</p>}
      </div>
      <AlertTabs />
      <div className="filters">
        <FilterText placeholder="Filter: the name of a rule" />
        <div className="row" role="group" aria-label="Of how many days">
          {spans.map((d) => <Toggle key={d} on={days === d} onClick={() => set({ days: d === 30 ? null : String(d) })}>{`${d} days`}</Toggle>)}
        </div>
        <div className="row" role="group" aria-label="Which findings">
          {choices.map(([id, label, n]) => (
            <Toggle key={id} on={show === id} onClick={() => set({ show: id === 'all' ? null : id, ...((id === together) !== (show === together) ? { sort: null, cols: null } : {}) })}>
              {label} {rep && <span className="muted num">{n}</span>}
            </Toggle>
          ))}
        </div>
      </div>
      {advice && <p className="note small">{advice}</p>}
      {table}
    </div>
  );
}
