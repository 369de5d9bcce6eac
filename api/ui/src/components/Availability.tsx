import { useMemo } from 'react';
import { useKpis } from '../api/queries';
import { count } from '../lib/text';
import { daysAgo, duration } from '../lib/time';
import { Card } from './bits';

/** How a service was available of late, for its own page; nothing for what is no service. */
export function Availability({ name }: { name: string }) {
  const kpis = useKpis(useMemo(() => daysAgo(30), []), 'service');
  const a = kpis.data?.services?.find((s) => s.service === name);
  if (!a) return null;
  return (
    <Card title="Availability, 30 days" id="availability">
      <dl className="facts">
        <dt>Available</dt>
        <dd>{a.availability === undefined ? 'nothing to count' : `${(a.availability * 100).toFixed(3)} %`}{a.objective ? <span className="muted"> of {(a.objective * 100).toFixed(2)} %</span> : null}</dd>
        <dt>Down</dt>
        <dd>{duration(a.downtime_seconds)} in {count(a.failures, 'failure')}</dd>
        {a.mtbf_seconds !== undefined && <><dt>MTBF</dt><dd>{duration(a.mtbf_seconds)}</dd></>}
      </dl>
      <p className="small muted" style={{ marginTop: 8 }}>1 − union of unplanned outages / agreed time</p>
    </Card>
  );
}
