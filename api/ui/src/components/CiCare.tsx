import { Button, Modal, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useAssetAct, useDiff, useHealth, useSinglePoints } from '../api/assets';
import { api, Fault, must } from '../api/client';
import { useCi, useClasses, type CiDetail } from '../api/queries';
import { cared, label, parse, show } from '../lib/attributes';
import { count } from '../lib/text';
import { localInput, Time } from '../lib/time';
import { useUrlState } from '../lib/url';
import { Availability } from './Availability';
import { Card, CiLink, Linked } from './bits';
import { CiPicker, type Picked } from './CiPicker';
import { Failed, Loading, State } from './State';

/** What people keep about an item: owner, place, life. What an agent finds is not theirs to type. */
export function EditCi({ c, close }: { c: CiDetail; close: () => void }) {
  const classes = useClasses();
  const fields = (classes.data?.classes.find((x) => x.name === c.class)?.fields ?? []).filter((f) => !f.counter && (cared.includes(f.name) || f.required)).sort((a, b) => cared.indexOf(a.name) - cared.indexOf(b.name));
  const before = Object.fromEntries(fields.map((f) => [f.name, c.attributes?.[f.name] === undefined ? '' : Array.isArray(c.attributes[f.name]) ? (c.attributes[f.name] as unknown[]).join(', ') : f.type === 'date' ? String(c.attributes[f.name]).slice(0, 10) : String(c.attributes[f.name])]));
  const [v, setV] = useState<Record<string, string>>({});
  const [tags, setTags] = useState((c.tags ?? []).join(', '));
  const changed = fields.filter((f) => v[f.name] !== undefined && v[f.name] !== before[f.name]);
  const tagsNow = tags.split(/[\s,]+/).filter(Boolean);
  const retagged = tagsNow.join() !== (c.tags ?? []).join();
  const save = useAssetAct(() => must(api.PATCH('/api/v1/cis/{id}', {
    params: { path: { id: c.id } },
    body: { attributes: changed.length ? Object.fromEntries(changed.map((f) => [f.name, v[f.name] === '' ? null : parse(f.type, v[f.name]!)])) : undefined, tags: retagged ? tagsNow : undefined },
  })), close);
  const fault = save.error ? Fault.of(save.error) : undefined;
  const why = (name: string) => fault?.fields[name] ?? fault?.fields[`attributes.${name}`];
  return (
    <Modal opened onClose={close} title={`Edit ${c.name}`} size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      {!classes.data ? <Loading lines={4} /> : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(undefined); }}>
          <div className="form-grid">
            {fields.map((f, n) => {
              const props = { label: label(f.name), value: v[f.name] ?? before[f.name] ?? '', error: why(f.name), autoFocus: n === 0 };
              const set = (x: string) => setV((o) => ({ ...o, [f.name]: x }));
              return f.values?.length ? (
                <Select key={f.name} {...props} clearable data={f.values} value={props.value || null} onChange={(x) => set(x ?? '')} />
              ) : (
                <TextInput key={f.name} {...props} type={f.type === 'date' ? 'date' : 'text'} title={f.description} onChange={(e) => set(e.currentTarget.value)} />
              );
            })}
            <TextInput label="Tags" value={tags} onChange={(e) => setTags(e.currentTarget.value)} error={fault?.fields.tags} />
          </div>
          <p className="small muted">An emptied field takes back what people said; what another source says then counts again.</p>
          {fault && <p className="note bad" role="alert">{fault.message}</p>}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={close}>Back</Button>
            <Button type="submit" disabled={changed.length === 0 && !retagged} loading={save.isPending}>Save</Button>
          </div>
        </form>
      )}
    </Modal>
  );
}

/** Makes another item and this one the same. */
export function MergeCi({ c, close }: { c: CiDetail; close: () => void }) {
  const [, go] = useLocation();
  const [other, setOther] = useState<Picked[]>([]);
  const merge = useAssetAct(() => must(api.POST('/api/v1/merges', { body: { keep: c.id, other: other[0]!.id } })), (m) => { close(); go(`/inventory/${encodeURIComponent(m.survivor)}`); });
  return (
    <Modal opened onClose={close} title="Merge with another item" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); merge.mutate(undefined); }}>
        <CiPicker label={`Which one is ${c.name} too`} description="Its relations, history and alerts come along. Of two of which one reports, that one stays. A merge can be taken back under Tasks." single without={c.id} value={other} onChange={setOther} autofocus />
        {merge.error && <p className="note bad" role="alert">{Fault.of(merge.error).message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" disabled={other.length === 0} loading={merge.isPending}>Merge</Button>
        </div>
      </form>
    </Modal>
  );
}

/** What differs between an item and itself at another time, or another item. The choice lives in the URL. */
export function Compare({ c }: { c: CiDetail }) {
  const [params, set] = useUrlState();
  const at = params.get('at');
  const other = params.get('with') ?? undefined;
  const two = useCi(other ?? c.id);
  // The first of a diff is the earlier, or this one.
  const q = useDiff(c.id, other ? { with: other } : { at: at ?? undefined }, !!other || !!at);
  const ago = (hours: number) => new Date(Date.now() - hours * 3600_000).toISOString();
  const rows = q.data?.items ?? [];
  const heads: [string, string] = other ? [c.name, two.data?.name ?? other] : ['Then', 'Now'];
  return (
    <div className="stack">
      <div className="row" style={{ alignItems: 'end', gap: 16 }}>
        <TextInput type="datetime-local" label="As it was at" max={localInput(new Date())} value={at ? localInput(new Date(at)) : ''} onChange={(e) => set({ at: e.currentTarget.value ? new Date(e.currentTarget.value).toISOString() : null, with: null })} />
        <div className="row" role="group" aria-label="How long ago">
          {([['An hour ago', 1], ['Yesterday', 24], ['A week ago', 168], ['30 days ago', 720]] as const).map(([name, h]) => (
            <button key={h} type="button" className="toggle" onClick={() => set({ at: ago(h), with: null })}>{name}</button>
          ))}
        </div>
        <div style={{ flex: '1 1 220px', maxWidth: 340 }}>
          <CiPicker label="Or with another item" single without={c.id} value={other && two.data ? [{ id: other, name: two.data.name, class: two.data.class }] : []} onChange={(v) => set({ with: v[0]?.id ?? null, at: null })} />
        </div>
      </div>
      {!other && !at ? (
        <div className="card"><State icon="history" title="Choose a time or another item">What differs is shown field by field: facts, software, relations.</State></div>
      ) : q.error ? (
        <Failed error={q.error} retry={() => void q.refetch()} />
      ) : !q.data ? (
        <Loading lines={5} />
      ) : rows.length === 0 ? (
        <div className="card"><State icon="check" title="Nothing differs">{at && !other && <>Since <Time at={at} mode="clock" /> no field, package or relation has changed.</>}</State></div>
      ) : (
        <Card title={count(rows.length, 'difference')} id="differences" flush extra={at && !other ? <span className="muted small">since <Time at={at} mode="clock" /></span> : undefined}>
          <div className="card-body scroll" tabIndex={0} role="region" aria-label="Differences">
            <table className="plain">
              <thead><tr><th scope="col">What</th><th scope="col">{heads[0]}</th><th scope="col">{heads[1]}</th></tr></thead>
              <tbody>
                {rows.slice(0, 1000).map((d) => (
                  <tr key={d.field}>
                    <td><strong>{what(d.field)}</strong></td>
                    <td className="diff-line wrap">{d.old != null && (other ? show(d.field, d.old) : <del>{show(d.field, d.old)}</del>)}</td>
                    <td className="diff-line wrap">{d.new != null && (other ? show(d.field, d.new) : <ins>{show(d.field, d.new)}</ins>)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {rows.length > 1000 && <p className="muted small" style={{ padding: '0 14px 12px' }}>and {rows.length - 1000} more</p>}
        </Card>
      )}
    </div>
  );
}

/** A field of the history in words. */
export function what(field: string): string {
  const [kind, ...rest] = field.split(':');
  const name = rest.join(':');
  if (kind === 'software') return `Software ${name.replace('/', ' ')}`;
  if (kind === 'relation') return `Relation ${name.replaceAll('_', ' ')}`;
  if (field.startsWith('label.')) return `Label ${field.slice(6)}`;
  if (field.startsWith('ci.')) return label(field.slice(3));
  return label(field);
}

const tone: Record<string, string> = { ok: 'good', healthy: 'good', degraded: 'warn', down: 'bad' };

/** How an item stands by what it needs, and what it needs and has only once. */
export function HealthTab({ c }: { c: CiDetail }) {
  const q = useHealth(c.id);
  const points = useSinglePoints(c.id);
  if (q.error) return <Failed error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading lines={5} />;
  const h = q.data;
  return (
    <div className="split even">
        <Card title="What is in trouble on its way" id="troubled" flush extra={<span className={`chip ${tone[h.status] ?? ''}`}>{h.status === 'ok' ? 'ok' : `${h.status} by what it needs`}</span>}>
          {(h.troubled ?? []).length === 0 ? (
            <State icon="check" title="Nothing it needs is in trouble">{count(h.checked, 'item')} looked at.</State>
          ) : (
            <ul className="picklist">
              {h.troubled!.map((n) => (
                <li key={n.id}>
                  <CiLink id={n.id} name={n.name} /> <span className="muted small">{n.class.replaceAll('_', ' ')} · {count(n.hops, 'step')} away{n.via && ` by ${n.via.replaceAll('_', ' ')}`}</span>
                  <div className="small">{n.why && <Linked text={n.why} />}</div>
                </li>
              ))}
            </ul>
          )}
        </Card>
        <Card title="What it needs and has only once" id="single-points" flush>
          {points.error ? <Failed error={points.error} /> : !points.data ? <Loading lines={3} /> : points.data.items.length === 0 ? <p className="muted" style={{ padding: 14 }}>No single point of failure is known.</p> : (
            <ul className="picklist">
              {points.data.items.slice(0, 30).map((p) => (
                <li key={p.id} className="row" style={{ justifyContent: 'space-between' }}>
                  <span><CiLink id={p.id} name={p.name} /> <span className="muted small">{p.class.replaceAll('_', ' ')} · {count(p.hops, 'step')} away</span></span>
                  <span className="muted small">{p.cuts > 0 && `cuts ${count(p.cuts, 'item')} off`}</span>
                </li>
              ))}
            </ul>
          )}
        </Card>
        <Availability name={c.name} />
    </div>
  );
}
