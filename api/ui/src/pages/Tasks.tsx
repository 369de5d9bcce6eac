import { Button, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useAssetAct, useMerges, useTasks, type Task } from '../api/assets';
import { api, Fault, must, type Schemas } from '../api/client';
import { useCi, useMay } from '../api/queries';
import { Card, CiLink } from '../components/bits';
import { FilterToggle } from '../components/Filter';
import { Failed, Loading, State } from '../components/State';
import { InventoryTabs } from '../components/Tabs';
import { count, words } from '../lib/text';
import { known, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

const what: Record<string, string> = {
  clone: 'Two machines report under one identity. They were taken apart; say which is meant to live on.',
  contested: 'An agent came under the identity of a machine that reports, without its credential. It got an item of its own. Make them one only if the machine was installed anew.',
  conflict: 'Identifiers point to different items. Nothing was overwritten; say what is true.',
  agent_gone: 'The agent does not run any more, but its host is up. Start it again: the task then closes by itself.',
  proposal: 'Probably the same thing under two records. Make them one, or say that they are two.',
};

export default function Tasks() {
  const [params] = useUrlState();
  const all = params.get('all') === '1';
  const rows = useTasks(all);
  useTitle('Inventory tasks');
  return (
    <div className="page">
      <div className="page-head"><h1 className="grow">Inventory</h1></div>
      <InventoryTabs />
      <div className="filters"><FilterToggle name="all">Also decided ones</FilterToggle></div>
      {rows.error ? (
        <Failed error={rows.error} retry={rows.retry} />
      ) : rows.loading ? (
        <Loading lines={5} />
      ) : rows.items.length === 0 ? (
        <div className="card"><State icon="check" title="Nothing waits for a decision">Clones, conflicting identities and probable duplicates appear here: what the inventory saw and does not decide alone.</State></div>
      ) : (
        <ul className="stack">
          {rows.items.map((t) => <li key={t.id}><TaskCard t={t} /></li>)}
          {rows.more && <li><Button variant="default" loading={rows.loadingMore} onClick={rows.loadMore}>More</Button></li>}
        </ul>
      )}
      <Merges />
    </div>
  );
}

function TaskCard({ t }: { t: Task }) {
  const manager = useMay('manager');
  const [closing, setClosing] = useState(false);
  const decide = async (decision: string) => must(api.POST('/api/v1/tasks/{id}/close', { params: { path: { id: t.id } }, body: { decision } }));
  const merge = useAssetAct(async (other: string) => {
    const m = await must(api.POST('/api/v1/merges', { body: { keep: t.ci!, other } }));
    await decide(`merged ${m.id} into ${m.survivor}`);
  });
  const others = t.others ?? [];
  const done = !!t.done;
  return (
    <section className="card" aria-label={t.summary}>
      <div className="card-head">
        <span className={`chip ${done ? '' : 'warn'}`}>{t.kind}</span>
        <h2 className="grow wrap">{t.summary}</h2>
        <span className="muted small">{count(t.count, 'time')}, last <Time at={t.last_at} /></span>
      </div>
      <div className="card-body stack">
        {!done && <p className="muted small">{what[t.kind]}</p>}
        <div className="split even">
          {t.ci && <Side id={t.ci} title="Concerns" />}
          {others.map((o) => <Side key={o} id={o} title="May be the same as" findings={[...(t.evidence?.proposals ?? []), ...(t.evidence?.findings ?? [])].filter((f) => f.ci === o)} />)}
        </div>
        <Seen seen={t.seen} />
        {done ? (
          <p className="small">Decided: {t.done}{known(t.done_at) && <> · <Time at={t.done_at} /></>}</p>
        ) : manager ? (
          <div className="row">
            {t.ci && others.map((o) => <Button key={o} variant={others.length === 1 ? 'filled' : 'default'} loading={merge.isPending && merge.variables === o} onClick={() => merge.mutate(o)}>They are one: merge{others.length > 1 && <> with <Name id={o} /></>}</Button>)}
            <Button variant="default" onClick={() => setClosing(true)}>Close with a decision</Button>
          </div>
        ) : (
          <p className="muted small">A manager can decide it.</p>
        )}
        {merge.error && <p className="note bad" role="alert">{Fault.of(merge.error).message}</p>}
      </div>
      {closing && <Decide decide={decide} close={() => setClosing(false)} />}
    </section>
  );
}

function Name({ id }: { id: string }) {
  const q = useCi(id);
  return <>{q.data?.name ?? id}</>;
}

/** One of the items that may be the same, with what speaks for and against it. */
function Side({ id, title, findings = [] }: { id: string; title: string; findings?: Schemas['Finding'][] }) {
  const q = useCi(id);
  const c = q.data;
  return (
    <div>
      <h3>{title}</h3>
      <p><CiLink id={id} name={c?.name} /> {c && <span className="muted small">{c.class.replaceAll('_', ' ')} · {c.source} · seen <Time at={c.last_seen} /></span>}</p>
      {q.error && <p className="muted small">It is gone.</p>}
      {findings.map((f, n) => (
        <p key={n} className="small">
          {f.rule && <span className="chip">{words(f.rule)}</span>}
          {f.same?.length ? <> same {f.same.join(', ')}</> : null}
          {f.differs?.length ? <span className="muted"> · differs in {f.differs.join(', ')}</span> : null}
          {f.ignored?.length ? <span className="muted"> · not counted: {f.ignored.join(', ')}</span> : null}
        </p>
      ))}
    </div>
  );
}

function Seen({ seen }: { seen: Schemas['Identifiers'] }) {
  const entries = Object.entries(seen).filter(([, v]) => v !== undefined && v !== '' && v !== false && !(Array.isArray(v) && v.length === 0));
  if (entries.length === 0) return null;
  return (
    <details className="small">
      <summary>What was seen</summary>
      <dl className="facts" style={{ marginTop: 6 }}>
        {entries.map(([k, v]) => (
          <div key={k} style={{ display: 'contents' }}>
            <dt>{words(k)}</dt>
            <dd>{Array.isArray(v) ? v.join(', ') : String(v)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function Decide({ decide, close }: { decide: (d: string) => Promise<unknown>; close: () => void }) {
  const [text, setText] = useState('');
  const act = useAssetAct(decide, close);
  const fault = act.error ? Fault.of(act.error) : undefined;
  return (
    <Modal opened onClose={close} title="Close with a decision" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); act.mutate(text); }}>
        <TextInput label="What was decided" description="The same matter is not asked again." required value={text} onChange={(e) => setText(e.currentTarget.value)} error={fault?.fields.decision} data-autofocus />
        {fault && Object.keys(fault.fields).length === 0 && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" loading={act.isPending}>Close the task</Button>
        </div>
      </form>
    </Modal>
  );
}

/** What was made one; each can be taken back. */
function Merges() {
  const rows = useMerges();
  const manager = useMay('manager');
  const undo = useAssetAct((id: string) => must(api.DELETE('/api/v1/merges/{id}', { params: { path: { id } } })));
  if (rows.items.length === 0) return null;
  return (
    <Card title="Merged items" id="merges" flush>
      {undo.error && <p className="note bad" role="alert" style={{ margin: 12 }}>{Fault.of(undo.error).message}</p>}
      <ul className="picklist">
        {rows.items.map((m) => (
          <li key={m.id + m.at} className="row">
            <span className="wrap" style={{ flex: 1 }}><code>{m.id}</code> into <CiLink id={m.survivor} name={undefined} /> <span className="muted small">by {m.actor}, <Time at={m.at} /></span></span>
            {known(m.undone_at) ? <span className="muted small">taken back <Time at={m.undone_at} /></span> : manager && <Button size="compact-xs" variant="default" loading={undo.isPending && undo.variables === m.id} onClick={() => undo.mutate(m.id)}>Take it back</Button>}
          </li>
        ))}
      </ul>
    </Card>
  );
}
