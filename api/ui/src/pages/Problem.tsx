import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { useCi, useMay, useProblem, useProblemIncidents, useProblemVerb, useTimeline, type ProblemVerb } from '../api/queries';
import { Card, CiLink, Linked, Priority, StateChip } from '../components/bits';
import { Failed, Loading, State } from '../components/State';
import { Table } from '../components/Table';
import { Timeline } from '../components/Timeline';
import { useTitle } from '../lib/title';
import { known, Time } from '../lib/time';
import { useKeys } from '../lib/keys';
import { count } from '../lib/text';
import { incidentColumns } from './Incidents';
import { ProblemDialog, problemVerbs } from './ProblemDialog';

const shown = ['priority', 'title', 'state', 'age', 'cause', 'resolved'];
const columns = incidentColumns.filter((c) => shown.includes(c.id)).map((c) => ({ ...c, optional: false, sort: undefined }));

/** An item of which only the id is known. */
function Item({ id }: { id: string }) {
  return <CiLink id={id} name={useCi(id).data?.name} />;
}

export default function Problem({ id }: { id: string }) {
  const q = useProblem(id);
  const incidents = useProblemIncidents(id);
  const timeline = useTimeline('problems', id);
  const may = useMay('responder');
  const act = useProblemVerb(id);
  const [dialog, setDialog] = useState<ProblemVerb>();
  const legal = new Set<string>(may ? (q.data?.legal ?? []) : []);
  const offered = problemVerbs.filter(([v]) => legal.has(v));
  useKeys(Object.fromEntries(offered.map(([v, a]) => [a.key, () => setDialog(v)])));
  useTitle(q.data ? `${id} ${q.data.title}` : id);
  if (q.error) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const p = q.data;
  return (
    <div className="page">
      <div className="headline">
        <Priority value={p.priority} />
        <h1>{p.title}</h1>
      </div>
      <div className="meta">
        <code>{p.id}</code>
        <StateChip state={p.state} />
        {p.known_error && <span className="chip warn">known error</span>}
        <span>
          {count(p.incidents, 'incident')}{known(p.last_incident_at) && <>, the last <Time at={p.last_incident_at} /></>}
        </span>
        <span>
          opened <Time at={p.opened_at} /> by {p.opened_by}
        </span>
        {p.assignee && <span>assigned to {p.assignee}</span>}
      </div>
      {offered.length > 0 && (
        <div className="actions" role="group" aria-label="What can be done">
          {offered.map(([v, a]) => (
            <Button key={v} variant="default" onClick={() => setDialog(v)} aria-keyshortcuts={a.key}>
              {a.title}
              <span className="btn-key" aria-hidden="true">
                {a.key}
              </span>
            </Button>
          ))}
        </div>
      )}
      {dialog && <ProblemDialog verb={dialog} problem={p} act={act} close={() => setDialog(undefined)} />}
      <div className="detail">
        <div>
          {p.description && (
            <Card title="Description" id="description">
              <p className="wrap" style={{ whiteSpace: 'pre-wrap' }}>{p.description}</p>
            </Card>
          )}
          {p.workaround && (
            <Card title="Workaround" id="workaround">
              <p className="wrap">{p.workaround}</p>
            </Card>
          )}
          {p.root_cause && (
            <Card title="Root cause" id="root-cause">
              <p className="wrap">{p.root_cause}</p>
            </Card>
          )}
          {p.fix && (
            <Card title="Fix" id="fix">
              <p className="wrap">{p.fix}</p>
            </Card>
          )}
          {p.software && (
            <Card title="Mended by a version" id="version">
              <p className="wrap">
                <Link href={`/software?q=${encodeURIComponent(p.software.product)}`}>{p.software.product}</Link> from <code>{p.software.fixed_in}</code> on: {p.software.pending.length === 0 ? 'it has arrived on every item.' : `${count(p.software.pending.length, 'item')} of ${p.software.items.length} still without it:`}{' '}
                {p.software.pending.slice(0, 20).map((ci, n) => <span key={ci}>{n > 0 && ', '}<Item id={ci} /></span>)}{p.software.pending.length > 20 && ` and ${p.software.pending.length - 20} more`}
              </p>
            </Card>
          )}
          {p.why && (
            <Card title="Why it was opened" id="why">
              <p className="wrap"><Linked text={p.why} /></p>
              {p.signature && (
                <p className="small muted" style={{ marginTop: 8 }}>
                  Signature: <code><Linked text={p.signature} /></code>
                </p>
              )}
            </Card>
          )}
          <Card title="Its incidents" flush id="its-incidents">
            <Table name="problem-incidents" label="Incidents of this problem" short columns={columns} rows={incidents} rowKey={(i) => i.id} href={(i) => `/incidents/${i.id}`} empty={<State title="No incident names it" />} />
          </Card>
        </div>
        <div>
          <Card title="Timeline" id="timeline">
            {timeline.error ? <Failed error={timeline.error} /> : timeline.data ? <Timeline entries={timeline.data} /> : <Loading lines={4} />}
          </Card>
          <p className="small">
            <Link href="/problems">← All problems</Link>
          </p>
        </div>
      </div>
    </div>
  );
}
