import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link } from 'wouter';
import { fetchIncidents, quoted, useIncident, useMay, useProblem, type Incident, type TimelineEntry } from '../api/queries';
import { Card, CiLink, Linked, StateChip } from '../components/bits';
import { Loading } from '../components/State';
import { count, words } from '../lib/text';
import { duration, known, Time } from '../lib/time';
import { NewProblem } from './NewProblem';

/** What the correlator recognised: the earlier incident, what mended it, and what its problem knows. */
export function SeenBefore({ i, timeline }: { i: Incident; timeline?: TimelineEntry[] }) {
  const id = i.seen_before ?? '';
  const earlier = useIncident(id, !!id);
  const problemId = i.problem || earlier.data?.problem || '';
  const problem = useProblem(problemId, !!problemId).data;
  if (!id) return null;
  const e = earlier.data;
  const why = timeline?.findLast((t) => t.text.includes(`seen before: ${id}`))?.text.replace(/^.*?seen before: \w+ \(probability ([\d.]+)\): /s, (_, p: string) => `${Math.round(Number(p) * 100)} % sure: `);
  let helped: ReactNode;
  if (e) helped = <Helped e={e} />;
  // It may be past its retention: what the incident itself remembers is left.
  else if (earlier.error) helped = i.seen_before_mended || <span className="muted">not known any more</span>;
  return (
    <Card title="Seen before: what helped then" id="seen-before">
      {!helped ? <Loading lines={3} /> : (
        <dl className="facts seen">
          <dt>Then</dt>
          <dd>
            <Link href={`/incidents/${id}`}>{e?.title ?? id}</Link>{' '}
            <span className="muted">{id}{e && <>, <Time at={e.opened_at} />{known(e.resolved_at) && `, over after ${duration((Date.parse(e.resolved_at) - Date.parse(e.onset)) / 1000)}`}</>}</span>{' '}
            {e && <StateChip state={e.state} reason={e.hold_reason} />}
          </dd>
          <dt>What helped</dt>
          <dd>{helped}</dd>
          {problem && (
            <>
              <dt>Problem</dt>
              <dd>
                <Link href={`/problems/${problem.id}`}>{problem.id}</Link> {problem.title !== e?.title && problem.title}{' '}
                <span className="muted">{count(problem.incidents, 'incident')}</span> <StateChip state={problem.state} /> {problem.known_error && <span className="chip warn">known error</span>}
              </dd>
            </>
          )}
          {problem?.workaround && <><dt>Workaround</dt><dd className="wrap"><strong>{problem.workaround}</strong></dd></>}
          {problem?.root_cause && <><dt>Root cause</dt><dd className="wrap">{problem.root_cause}</dd></>}
          {problem?.fix && <><dt>Fix</dt><dd className="wrap">{problem.fix}</dd></>}
          {why && <><dt>Why it is like it</dt><dd className="wrap muted"><Linked text={why} /></dd></>}
        </dl>
      )}
    </Card>
  );
}

/** How an incident ended: by whom and what, or after which change. */
function Helped({ e }: { e: Incident }) {
  const person = e.resolved_by && e.resolved_by !== 'watchbill';
  const change = e.recovery_change;
  if (e.merged_into) return <>It became a part of <Link href={`/incidents/${e.merged_into}`}>{e.merged_into}</Link>.</>;
  if (!person && !change) return known(e.resolved_at) ? <>Nobody did anything that is recorded: it recovered by itself.</> : <span className="muted">It is not over either.</span>;
  return (
    <>
      {person && (e.resolution ? <><strong className="wrap">{e.resolution}</strong> <span className="muted">(resolved by {e.resolved_by})</span></> : <>Resolved by {e.resolved_by}, without a word of how.</>)}
      {person && change && <br />}
      {change && <Recovered c={change} />}
      {' '}<Link href={`/incidents/${e.id}/review`} className="small">Review</Link>
    </>
  );
}

/** The change that a recovery followed. */
export function Recovered({ c }: { c: NonNullable<Incident['recovery_change']> }) {
  return (
    <span>
      It recovered after a change of <CiLink id={c.ci} name={c.name} />: {words(c.type).toLowerCase()}, {c.summary} {c.version && <code>{c.version}</code>} <span className="muted"><Time at={c.at} mode="clock" /></span>
    </span>
  );
}

/** Others that may be of use: the problem's, or those with the same suspected cause. */
export function Similar({ i }: { i: Incident }) {
  const may = useMay('responder');
  const [opening, setOpening] = useState(false);
  const cause = i.causes[0]?.name;
  const q = useQuery({
    queryKey: ['incidents', 'similar', i.id, cause, i.problem],
    enabled: !!cause || !!i.problem,
    staleTime: 60_000,
    queryFn: async () => (await fetchIncidents({ q: i.problem ? `problem:${i.problem}` : `cause:${quoted(cause!)}`, sort: '-opened', limit: 8 })).items,
  });
  const others = (q.data ?? []).filter((o) => o.id !== i.id && o.id !== i.seen_before).slice(0, 6);
  if (others.length === 0 && i.seen_before && i.problem) return null;
  return (
    <Card
      title={i.problem ? 'Others of this problem' : 'Others with this cause'} id="similar"
      extra={i.problem ? <Link href={`/problems/${i.problem}`} className="small">{i.problem}</Link> : may && <Button size="compact-xs" variant="default" onClick={() => setOpening(true)}>Open a problem</Button>}
    >
      {opening && <NewProblem incidents={[i.id]} close={() => setOpening(false)} />}
      {others.length > 0 ? (
        <ul className="stack" style={{ gap: 8 }}>
          {others.map((o) => (
            <li key={o.id} className="small">
              <Link href={`/incidents/${o.id}`}>{o.title}</Link>
              <div className="muted">
                {o.id} · <Time at={o.opened_at} /> {o.resolution && o.resolved_by !== 'watchbill' && <>· mended by: {o.resolution}</>}
              </div>
            </li>
          ))}
        </ul>
      ) : (
        <p className="muted">{q.isFetching ? 'Looking…' : i.seen_before ? 'None but the one that it repeats.' : 'No other incident looks like this one.'}</p>
      )}
    </Card>
  );
}
