import { useMemo, type ReactNode } from 'react';
import { useKpis, type KpiGroup, type KpiReport } from '../api/queries';
import { Chart, type Series } from '../components/Chart';
import { Card, Meter, Toggle } from '../components/bits';
import { Failed, Loading } from '../components/State';
import { daysAgo, duration, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

/** The clocks, in the order of an incident's life, with the formula as docs/kpis.md has it. */
const clocks: [string, string, string, string][] = [
  ['incident_detection_seconds', 'MTTD', 'Time to detect', 'opened − onset; onset is the earliest startsAt less the rule’s for'],
  ['incident_acknowledgement_seconds', 'MTTA', 'Time to acknowledge', 'acknowledged by a person − opened; what nobody acknowledged is shown by age instead'],
  ['incident_repair_seconds', 'MTTR repair', 'Time to repair', 'restored − work started, where work started first'],
  ['incident_recovery_seconds', 'MTTR recovery', 'Time to recover', 'restored − onset'],
  ['incident_response_seconds', 'MTTR respond', 'Time to respond', 'restored − opened'],
  ['incident_resolution_seconds', 'MTTR resolve', 'Time to resolve', 'resolved − opened; a reopened incident counts at each resolution'],
];

const spans: [string, string, string][] = [
  ['7', '7 days', 'day'],
  ['30', '30 days', 'day'],
  ['90', '90 days', 'week'],
  ['365', 'A year', 'month'],
];

export default function Kpis() {
  const [params, set] = useUrlState();
  useTitle('KPIs');
  const span = spans.find(([d]) => d === (params.get('days') ?? '30')) ?? spans[1]!;
  const by = params.get('by') ?? '';
  const from = useMemo(() => daysAgo(Number(span[0])), [span]);
  const time = useKpis(from, span[2]);
  const grouped = useKpis(from, by || 'priority');
  return (
    <div className="page">
      <div className="page-head">
        <h1 className="grow">KPIs</h1>
        <div className="row" role="group" aria-label="Span of time">
          {spans.map(([d, label]) => (
            <Toggle key={d} on={d === span[0]} onClick={() => set({ days: d === '30' ? null : d })}>
              {label}
            </Toggle>
          ))}
        </div>
        <a className="small" href={`/api/v1/kpis?from=${from}&by=${span[2]}&format=csv`} download>
          CSV
        </a>
      </div>
      {time.error && !time.data ? <Failed error={time.error} retry={() => void time.refetch()} /> : !time.data ? <Loading lines={12} /> : <Charts r={time.data} unit={span[2]} days={Number(span[0])} />}
      <div className="page-head">
        <h2 className="grow">Side by side</h2>
        <div className="row" role="group" aria-label="Grouped by">
          {['priority', 'service', 'team', 'sla'].map((g) => (
            <Toggle key={g} on={(by || 'priority') === g} onClick={() => set({ by: g === 'priority' ? null : g })}>
              {g === 'sla' ? 'SLA' : `By ${g}`}
            </Toggle>
          ))}
        </div>
      </div>
      {grouped.error ? <Failed error={grouped.error} /> : grouped.data && <Groups r={grouped.data} by={by || 'priority'} />}
      {time.data?.services && time.data.services.length > 0 && <Services r={time.data} />}
    </div>
  );
}

/** Every key of the span: a day on which nothing happened is a fact too. */
function keys(unit: string, days: number, groups: KpiGroup[]): string[] {
  if (unit !== 'day') return groups.map((g) => g.key);
  return Array.from({ length: days + 1 }, (_, i) => daysAgo(days - i));
}

function Charts({ r, unit, days }: { r: KpiReport; unit: string; days: number }) {
  const all = keys(unit, days, r.groups);
  const byKey = new Map(r.groups.map((g) => [g.key, g]));
  const labels = all.map((k) => (unit === 'day' ? k.slice(5) : k));
  const values = (f: (g: KpiGroup) => number | undefined) => all.map((k) => { const g = byKey.get(k); return g ? f(g) : undefined; });
  const t = r.total;
  const known = (g: KpiGroup, n: string) => (g.clocks[n]?.count ? g.clocks[n] : undefined);
  return (
    <div className="kpis">
      {clocks.map(([name, short, title, formula]) => {
        const d = known(t, name);
        const series: Series[] = [
          { name: 'p50', values: values((g) => known(g, name)?.p50) },
          { name: 'p90', values: values((g) => known(g, name)?.p90) },
        ];
        return (
          <Kpi key={name} title={title} short={short} formula={formula} value={d ? duration(d.p50) : undefined} note={d && `p50 of ${d.count} · p90 ${duration(d.p90)} · mean ${duration(d.mean)}`}>
            {d && <Chart kind="line" time labels={labels} series={series} format={duration} label={`${title}: p50 and p90 by ${unit}`} />}
          </Kpi>
        );
      })}
      <Kpi title="Incidents opened" short="Volume" formula="count of openings, by the correlator or by hand" value={String(t.counts.incidents_opened_total ?? 0)} note={`${t.counts.incidents_reopened_total ?? 0} reopened · ${t.counts.incidents_recurring_total ?? 0} seen before · ${t.counts.incidents_canceled_total ?? 0} canceled`}>
        <Chart kind="bar" labels={labels} series={[{ name: 'opened', values: values((g) => g.counts.incidents_opened_total) }]} format={String} label={`Incidents opened by ${unit}`} />
      </Kpi>
      <Kpi title="Noise kept from people" short="Noise reduction" formula="1 − incidents opened / unique alert episodes" value={percent(t.noise_reduction)} note={t.alerts && `${t.alerts.episodes.toLocaleString()} episodes, ${t.alerts.received.toLocaleString()} alerts received`}>
        <Chart kind="line" labels={labels} series={[{ name: 'noise reduction', values: values((g) => g.noise_reduction) }]} format={(v) => `${Math.round(v * 100)} %`} label={`Noise reduction by ${unit}`} />
      </Kpi>
      <Kpi title="Backlog now" short="Open" formula="incidents opened and not yet resolved, merged or canceled; age = now − opened" value={t.backlog ? String(t.backlog.open) : undefined} note={t.backlog && t.backlog.open > 0 ? <>p50 age {duration(t.backlog.age_seconds.p50)} · oldest <Time at={t.backlog.oldest} /> · {t.backlog.unacknowledged_age_seconds.count} unacknowledged</> : t.backlog ? 'nothing is open' : 'not known of a past span'} />
      <Kpi title="Rates" short="Ratios" formula="reopened / resolved in the span · seen before within 30 days / opened · resolved by people within an hour / resolved by people · met / due in the span">
        <dl className="facts">
          <dt>Reopen rate</dt><dd>{percent(t.reopen_rate) ?? none}</dd>
          <dt>Recurrence</dt><dd>{percent(t.recurrence_rate) ?? none}</dd>
          <dt>First contact</dt><dd>{percent(t.first_contact_rate) ?? none}</dd>
          <dt>SLA compliance</dt><dd>{percent(t.sla_compliance) ?? none}</dd>
        </dl>
      </Kpi>
    </div>
  );
}

const none = <span className="muted">nothing to count</span>;

function percent(v?: number): string | undefined {
  return v === undefined || v === null ? undefined : `${(v * 100).toFixed(1)} %`;
}

function Kpi({ title, short, value, note, formula, children }: { title: string; short: string; value?: string; note?: ReactNode; formula: string; children?: ReactNode }) {
  const id = `kpi-${short.replaceAll(' ', '-')}`;
  return (
    <section className="card kpi" aria-labelledby={id}>
      <div className="card-body grow">
        <div className="row" style={{ justifyContent: 'space-between' }}>
          <h2 id={id}>{title}</h2>
          <span className="chip">{short}</span>
        </div>
        {short !== 'Ratios' && <div className={`kpi-value ${value === undefined ? 'muted' : ''}`}>{value ?? '–'}</div>}
        <p className="small muted" style={{ minHeight: '1.4em', marginBottom: 6 }}>{note ?? (value === undefined && short !== 'Ratios' ? 'nothing to count in this span' : '')}</p>
        {children}
      </div>
      <p className="formula">{formula}</p>
    </section>
  );
}

function Groups({ r, by }: { r: KpiReport; by: string }) {
  if (r.groups.length === 0) return <p className="muted">Nothing happened in this span{by === 'sla' ? ', or no service level is configured' : ''}.</p>;
  const cell = (g: KpiGroup, n: string) => {
    const d = g.clocks[n];
    return d?.count ? <span title={`p90 ${duration(d.p90)}, mean ${duration(d.mean)}, of ${d.count}`}>{duration(d.p50)} <span className="muted">/ {duration(d.p90)}</span></span> : <span className="muted">–</span>;
  };
  return (
    <div className="card">
      <div className="card-body scroll" tabIndex={0} role="region" aria-label="KPIs side by side">
        <table className="plain num nowrap">
          <caption className="sr">Figures grouped by {by}; clocks as p50 / p90</caption>
          <thead>
            <tr>
              <th scope="col">{by === 'sla' ? 'SLA' : by.charAt(0).toUpperCase() + by.slice(1)}</th>
              <th scope="col" className="end">Opened</th>
              <th scope="col" className="end">Open now</th>
              {clocks.map(([n, short]) => <th key={n} scope="col" className="end">{short}</th>)}
              <th scope="col" className="end">Reopened</th>
              <th scope="col" className="end">SLA met</th>
            </tr>
          </thead>
          <tbody>
            {r.groups.map((g) => (
              <tr key={g.key}>
                <td><strong>{by === 'priority' ? `P${g.key}` : g.key || 'none'}</strong></td>
                <td className="end">{g.counts.incidents_opened_total ?? 0}</td>
                <td className="end">{g.backlog?.open ?? '–'}</td>
                {clocks.map(([n]) => <td key={n} className="end">{cell(g, n)}</td>)}
                <td className="end">{percent(g.reopen_rate) ?? '–'}</td>
                <td className="end">{percent(g.sla_compliance) ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Services({ r }: { r: KpiReport }) {
  return (
    <Card title="Availability of services" id="availability">
      <div className="scroll" tabIndex={0} role="region" aria-label="Availability of services">
        <table className="plain num nowrap">
          <thead><tr><th scope="col">Service</th><th scope="col">Availability</th><th scope="col" className="end">Objective</th><th scope="col" className="end">Downtime</th><th scope="col" className="end">Failures</th><th scope="col" className="end">MTBF</th></tr></thead>
          <tbody>
            {r.services!.map((s) => (
              <tr key={s.service}>
                <td><strong>{s.service}</strong></td>
                <td>{s.availability === undefined ? '–' : <Meter value={s.availability} digits={3} />} {s.objective && s.availability !== undefined && s.availability < s.objective ? <span className="chip bad">below</span> : null}</td>
                <td className="end">{s.objective ? `${(s.objective * 100).toFixed(2)} %` : '–'}</td>
                <td className="end">{duration(s.downtime_seconds)}</td>
                <td className="end">{s.failures}</td>
                <td className="end">{s.mtbf_seconds === undefined ? '–' : duration(s.mtbf_seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="small muted" style={{ marginTop: 8 }}>availability = 1 − union of unplanned outages / agreed time; MTBF = (agreed time − downtime) / failures</p>
    </Card>
  );
}
