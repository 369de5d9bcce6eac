import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { api, Fault, must } from '../api/client';
import { useGraph, useIncident, useIncidentAlerts, useMay, useTimeline, useVerb, type Incident as Doc, type Verb } from '../api/queries';
import { useQuery } from '@tanstack/react-query';
import { AlertsByCi } from '../components/AlertsByCi';
import { Card, CiLink, Priority, StateChip } from '../components/bits';
import { Failed, Loading } from '../components/State';
import { Timeline } from '../components/Timeline';
import { Topology } from '../components/Topology';
import { between } from '../lib/layout';
import { useKeys } from '../lib/keys';
import { count, words } from '../lib/text';
import { duration, known, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { Recovered, SeenBefore, Similar } from './SeenBefore';
import { VerbDialog } from './VerbDialog';

/** The verbs that have a button, in order, with their keys. */
const buttons: [Verb, string, string][] = [
  ['acknowledge', 'Acknowledge', 'a'],
  ['resume', 'Resume', 'u'],
  ['assign', 'Assign', 's'],
  ['hold', 'Hold', 'h'],
  ['resolve', 'Resolve', 'r'],
  ['close', 'Close', 'c'],
  ['reopen', 'Reopen', 'o'],
  ['edit', 'Edit', 'e'],
  ['merge', 'Merge', 'm'],
  ['split', 'Split', 'p'],
  ['major', 'Declare major', 'M'],
  ['minor', 'No longer major', 'M'],
  ['cancel', 'Cancel', 'x'],
];
/** Verbs that need no more words. */
const atOnce = new Set<Verb>(['acknowledge', 'resume', 'close']);

export default function Incident({ id }: { id: string }) {
  const [, go] = useLocation();
  const q = useIncident(id);
  const alerts = useIncidentAlerts(id);
  const timeline = useTimeline('incidents', id);
  const may = useMay('responder');
  const act = useVerb(id);
  const [dialog, setDialog] = useState<Verb>();
  const note = useRef<HTMLTextAreaElement>(null);
  useTitle(q.data ? `${id} ${q.data.title}` : id);

  const legal = new Set(may ? (q.data?.legal ?? []) : []);
  const doVerb = (verb: Verb) => {
    if (!atOnce.has(verb)) return setDialog(verb);
    act.mutate({ verb }, { onSuccess: () => say(verb), onError: (e) => notifications.show({ color: 'red', title: `Not done: ${verb}`, message: Fault.of(e).message }) });
  };
  useKeys({
    ...Object.fromEntries(buttons.filter(([v]) => legal.has(v)).map(([v, , key]) => [key, () => doVerb(v)])),
    n: legal.has('notes') ? () => note.current?.focus() : undefined,
    v: q.data?.resolved_at ? () => go(`/incidents/${id}/review`) : undefined,
    b: () => go('/'),
  });

  if (q.error && !q.data) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading lines={10} />;
  const i = q.data;
  const primary: Verb | undefined = legal.has('acknowledge') ? 'acknowledge' : legal.has('resume') ? 'resume' : legal.has('resolve') ? 'resolve' : legal.has('close') ? 'close' : undefined;

  return (
    <div className="page">
      <div className="headline">
        <Priority value={i.priority} />
        <h1>{i.title}</h1>
      </div>
      <div className="meta">
        <code>{i.id}</code>
        <StateChip state={i.state} reason={i.hold_reason} />
        {i.major && <span className="chip p1">major incident</span>}
        <span>
          opened <Time at={i.opened_at} />
          {i.opened_by !== 'watchbill' && ` by ${i.opened_by}`}
        </span>
        <span>{i.acknowledged_at ? <>acknowledged by {i.acknowledged_by}</> : i.legal.includes('acknowledge') ? <strong style={{ color: 'var(--p1)' }}>nobody has acknowledged it</strong> : 'not acknowledged'}</span>
        {Object.entries(i.roles ?? {}).map(([role, who]) => <span key={role}>{words(role).toLowerCase()} {who}</span>)}
        {(i.assignee || i.team) && <span>assigned to {[i.assignee, i.team].filter(Boolean).join(', ')}</span>}
        <span>{count(i.alerts, 'alert')}{i.active_alerts > 0 ? `, ${i.active_alerts} active` : ''}</span>
        {i.services?.length ? <span title={i.services.map((s) => i.refs[s]?.name ?? s).join(', ')}>service {i.services.slice(0, 3).map((s) => i.refs[s]?.name ?? s).join(', ')}{i.services.length > 3 && ` and ${i.services.length - 3} more`}</span> : null}
      </div>
      {may && legal.size > 0 && (
        <div className="actions" role="group" aria-label="What can be done">
          {buttons
            .filter(([v]) => legal.has(v))
            .map(([v, label, key]) => (
              <Button key={v} variant={v === primary ? 'filled' : 'default'} loading={act.isPending && act.variables.verb === v} onClick={() => doVerb(v)} aria-keyshortcuts={key}>
                {label}
                <span className="btn-key" aria-hidden="true">
                  {key}
                </span>
              </Button>
            ))}
        </div>
      )}
      {!may && <p className="note small">You are signed in as a viewer: you see everything here, a responder can act.</p>}
      {i.workaround && !i.seen_before && (
        <p className="note">
          {i.known_error ? 'Known error. ' : ''}Workaround from {i.problem ? <Link href={`/problems/${i.problem}`}>{i.problem}</Link> : 'its problem'}: {i.workaround}
        </p>
      )}
      {i.merged_into && (
        <p className="note">
          Merged into <Link href={`/incidents/${i.merged_into}`}>{i.merged_into}</Link>, where its alerts are now.
        </p>
      )}
      {i.resolution && (
        <p className="note row" style={{ justifyContent: 'space-between' }}>
          <span>
            Resolved{i.resolved_by ? ` by ${i.resolved_by}` : ''}: {i.resolution}
            {i.recovery_change && <>. <Recovered c={i.recovery_change} /></>}
          </span>
          {i.resolved_at && <Link href={`/incidents/${i.id}/review`} className="small">Review: what happened and what to learn</Link>}
        </p>
      )}
      {i.restored_at && i.state !== 'resolved' && i.state !== 'closed' && (
        <p className="note">
          All alerts are clear since <Time at={i.restored_at} mode="clock" />. It resolves by itself if that lasts.
        </p>
      )}

      <div className="detail three">
        <div>
          <Causes i={i} />
          <SeenBefore i={i} timeline={timeline.data} />
          {i.changes && i.changes.length > 0 && (
            <Card title="Changes on the way" id="changes">
              <ul className="stack">
                {i.changes.map((c, n) => (
                  <li key={n}>
                    <Time at={c.at} /> · <strong>{words(c.type)}</strong> on <CiLink id={c.ci} name={c.name} />: {c.summary} {c.version && <code>{c.version}</code>}
                  </li>
                ))}
              </ul>
            </Card>
          )}
          <Card title={`Alerts by item (${i.alerts})`} flush id="alerts">
            <AlertsByCi rows={alerts} />
          </Card>
        </div>
        <div>
          <AffectedTopology i={i} />
          <Card title="Timeline" id="timeline">
            {legal.has('notes') && <NoteBox ref={note} send={(text) => act.mutateAsync({ verb: 'notes', body: { note: text } })} />}
            {timeline.error ? <Failed error={timeline.error} /> : timeline.data ? <Timeline entries={timeline.data} /> : <Loading lines={5} />}
          </Card>
        </div>
        <div>
          <Card title="Why this priority" id="priority">
            <dl className="facts">
              <dt>Priority</dt>
              <dd>
                {i.priority} = impact {i.impact} + urgency {i.urgency} − 1
              </dd>
              <dt>Derivation</dt>
              <dd>{i.derivation || 'not given'}</dd>
              {i.page && <><dt>Paging</dt><dd>{i.page === 'always' ? 'People are told whatever the hour' : 'Nobody is told'}{i.page_why && `: ${i.page_why}`}</dd></>}
            </dl>
          </Card>
          <Card title="Clocks" id="clocks">
            <Clocks i={i} />
          </Card>
          {i.slas && i.slas.length > 0 && (
            <Card title="Service levels" id="slas">
              <ul className="stack" style={{ gap: 8 }}>
                {i.slas.map((s) => (
                  <li key={s.sla + s.clock} className="row" style={{ justifyContent: 'space-between' }}>
                    <span>
                      {s.sla} <span className="muted small">{words(s.clock).toLowerCase()}, {s.target}</span>
                    </span>
                    {s.breached_at ? <span className="chip bad">breached <Time at={s.breached_at} /></span> : s.result ? <span className={`chip ${s.result === 'met' ? 'good' : ''}`}>{s.result}</span> : s.due ? <span className="chip">{s.active ? 'due' : s.phase} <Time at={s.due} /></span> : <span className="chip">{s.phase}</span>}
                  </li>
                ))}
              </ul>
            </Card>
          )}
          <Similar i={i} />
          <Told id={i.id} />
          {i.description && (
            <Card title="Description" id="description">
              <p className="wrap" style={{ whiteSpace: 'pre-wrap' }}>{i.description}</p>
            </Card>
          )}
        </div>
      </div>
      {dialog && <VerbDialog verb={dialog} incident={i} alerts={alerts.items} close={() => setDialog(undefined)} act={act} done={(to) => (to && to !== id ? go(`/incidents/${to}`) : say(dialog))} />}
    </div>
  );
}

function say(verb: Verb) {
  const past: Partial<Record<Verb, string>> = { acknowledge: 'Acknowledged: it is yours', resume: 'Back in progress', close: 'Closed', notes: 'Note written', assign: 'Assigned', hold: 'On hold', resolve: 'Resolved', reopen: 'Reopened', cancel: 'Canceled', merge: 'Merged', split: 'Split', edit: 'Changed' };
  notifications.show({ message: past[verb] ?? verb });
}

// The same words as the command line and the review use.
const likely = (p: number) => (p >= 0.6 ? 'likely' : p >= 0.2 ? 'possible' : 'a guess');

function Causes({ i }: { i: Doc }) {
  const [all, setAll] = useState(false);
  // A fourth suspect is hardly ever it; what helped before should stand in sight.
  const shown = all || i.causes.length <= 4 ? i.causes : i.causes.slice(0, 3);
  return (
    <Card title="Suspected cause" id="causes">
      {i.verdict && (
        <>
          <p>{i.verdict.text}</p>
          {i.verdict.common && <p className="muted small">In common: {i.verdict.common}</p>}
          {i.verdict.check && <p className="muted small">Check next: {i.verdict.check}</p>}
        </>
      )}
      {i.causes.length === 0 && i.verdict ? null : i.causes.length === 0 ? (
        <p className="muted">{i.alerts === 0 ? 'It was opened without alerts: nothing points to a cause.' : 'The evidence does not single out a cause, so none is named.'}</p>
      ) : (
        <ol>
          {shown.map((c, n) => (
            <li key={c.ci} className={`cause ${n === 0 ? 'first' : ''}`}>
              <span className="rank">{n + 1}</span>
              <span className="name">
                <CiLink id={c.ci} name={c.name} /> <span className="muted small">{c.class.replaceAll('_', ' ')}</span>
              </span>
              <span className="chip" title={`probability ${c.score.toFixed(2)}`}>{likely(c.score)}</span>
              <span className="path">{c.path}</span>
            </li>
          ))}
          {shown.length < i.causes.length && (
            <li>
              <button type="button" className="more" onClick={() => setAll(true)}>
                {i.causes.length - shown.length} less likely
              </button>
            </li>
          )}
        </ol>
      )}
    </Card>
  );
}

function Clocks({ i }: { i: Doc }) {
  const from = new Date(i.opened_at).getTime();
  const line = (label: string, at?: string | null) =>
    known(at) && (
      <>
        <dt>{label}</dt>
        <dd>
          <Time at={at} mode="clock" />{' '}
          {at !== i.opened_at && <span className="muted">{new Date(at).getTime() < from ? `${duration((from - new Date(at).getTime()) / 1000)} before` : `+${duration((new Date(at).getTime() - from) / 1000)}`}</span>}
        </dd>
      </>
    );
  return (
    <dl className="facts">
      {line('Onset', i.onset)}
      {line('Opened', i.opened_at)}
      {line('Acknowledged', i.acknowledged_at)}
      {line('Work started', i.work_started_at)}
      {line('Restored', i.restored_at)}
      {line('Resolved', i.resolved_at)}
      {line('Closed', i.closed_at)}
      {i.reopened ? (
        <>
          <dt>Reopened</dt>
          <dd>{count(i.reopened, 'time')}</dd>
        </>
      ) : null}
    </dl>
  );
}

const steps: Record<string, string> = { opened: 'that it opened', escalated: 'that nobody acknowledged it', acknowledged: 'who has it', resolved: 'that it is over' };

/** What was told to people outside of these pages, and whether it arrived. */
function Told({ id }: { id: string }) {
  const q = useQuery({ queryKey: ['incident', id, 'told'], queryFn: () => must(api.GET('/api/v1/incidents/{id}/notifications', { params: { path: { id }, query: { limit: 20 } } })) });
  if (!q.data || q.data.items.length === 0) return null;
  return (
    <Card title="Told" id="told">
      <ul className="stack" style={{ gap: 6 }}>
        {q.data.items.map((n) => (
          <li key={n.id} className="row small" style={{ justifyContent: 'space-between' }}>
            <span>{steps[n.step.replace('incident.', '')] ?? words(n.step.replace('incident.', '')).toLowerCase()} <span className="muted">{n.to && `to ${n.to.join(', ')} `}<Time at={n.at} mode="clock" /></span></span>
            {known(n.done_at) ? <span className="chip good">arrived</span> : <span className="chip warn">on its way</span>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function AffectedTopology({ i }: { i: Doc }) {
  const centre = i.causes[0]?.ci ?? i.cis?.[0];
  const graph = useGraph(centre ?? '', 4, !!centre);
  const part = useMemo(() => {
    if (!graph.data || !centre) return undefined;
    const keep = between(centre, [...(i.cis ?? []), ...i.causes.slice(0, 3).map((c) => c.ci)], graph.data.nodes, graph.data.edges, 16);
    const nodes = graph.data.nodes.filter((n) => keep.has(n.id));
    return { nodes, edges: graph.data.edges.filter((e) => keep.has(e.from) && keep.has(e.to)) };
  }, [graph.data, centre, i]);
  if (!part || part.nodes.length < 2) return null;
  return (
    <Card title="Affected part of the estate" flush id="topology">
      <div style={{ padding: '14px 8px' }}>
        <Topology graph={part} label="Topology around the suspected cause" causes={new Set(i.causes.slice(0, 1).map((c) => c.ci))} affected={new Set(i.cis ?? [])} />
      </div>
      <div className="legend">
        <span><i className="c" />suspected cause</span>
        <span><i className="a" />affected</span>
        <span><i />on the way</span>
        <span>What needs others stands above what it needs.</span>
      </div>
    </Card>
  );
}

function NoteBox({ send, ref }: { send: (text: string) => Promise<unknown>; ref: React.RefObject<HTMLTextAreaElement | null> }) {
  const [text, setText] = useState('');
  const [state, setState] = useState<'idle' | 'sending' | string>('idle');
  useEffect(() => setState('idle'), [text]);
  const submit = async () => {
    if (!text.trim()) return;
    setState('sending');
    try {
      await send(text);
      setText('');
      ref.current?.blur();
    } catch (e) {
      setState(Fault.of(e).message);
    }
  };
  return (
    <form
      style={{ marginBottom: 14 }}
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <textarea
        ref={ref}
        className="notebox"
        aria-label="Write a note"
        placeholder="Write a note (n) — Ctrl Enter sends"
        rows={text ? 3 : 1}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) void submit();
          if (e.key === 'Escape') e.currentTarget.blur();
        }}
      />
      {text && (
        <div className="row" style={{ marginTop: 6 }}>
          <Button type="submit" loading={state === 'sending'}>
            Write note
          </Button>
          {state !== 'idle' && state !== 'sending' && <span role="alert" style={{ color: 'var(--p1)' }}>{state}</span>}
        </div>
      )}
    </form>
  );
}
