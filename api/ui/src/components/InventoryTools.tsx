import { Button, Menu, Modal, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { importCsv, useAssetAct, useViews, type ImportReport, type View } from '../api/assets';
import { api, Fault, must } from '../api/client';
import { useClasses, useMay, useMe } from '../api/queries';
import { label, parse, show } from '../lib/attributes';
import { count } from '../lib/text';
import { useUrlState } from '../lib/url';
import { CiLink } from './bits';
import { Icon } from './Icon';

/** Saved lists: a query with its order and columns, under a name for everybody. */
export function Views({ q }: { q: string }) {
  const [params, set] = useUrlState();
  const views = useViews();
  const me = useMe();
  const [saving, setSaving] = useState(false);
  const drop = useAssetAct((name: string) => must(api.DELETE('/api/v1/views/{name}', { params: { path: { name } } })));
  const open = (v: View) => set({ class: 'all', q: v.q, sort: v.sort ?? null, cols: v.columns?.length ? v.columns.join(',') : null, stale: null });
  const manager = useMay('manager');
  const items = views.data?.items ?? [];
  return (
    <>
      <Menu position="bottom-end" width={260}>
        <Menu.Target>
          <Button variant="default">Views</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {items.length === 0 && <Menu.Label>No list is saved yet</Menu.Label>}
          {items.map((v) => (
            <Menu.Item key={v.name} onClick={() => open(v)}>
              {v.name} <span className="muted small">{v.q}</span>
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item leftSection={<Icon name="check" size={14} />} onClick={() => setSaving(true)}>Save this list</Menu.Item>
          {items.filter((v) => manager || v.owner === me.data?.actor).map((v) => (
            <Menu.Item key={`drop ${v.name}`} onClick={() => drop.mutate(v.name)}>Forget “{v.name}”</Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {saving && <SaveView q={q} sort={params.get('sort') ?? undefined} columns={params.get('cols')?.split(',')} close={() => setSaving(false)} />}
    </>
  );
}

function SaveView({ q, sort, columns, close }: { q: string; sort?: string; columns?: string[]; close: () => void }) {
  const [name, setName] = useState('');
  const save = useAssetAct(() => must(api.PUT('/api/v1/views/{name}', { params: { path: { name: name.trim() } }, body: { q, sort, columns } })), close);
  const fault = save.error ? Fault.of(save.error) : undefined;
  return (
    <Modal opened onClose={close} title="Save this list" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(undefined); }}>
        <TextInput label="Its name" description="Everybody sees it. A name that exists is replaced." required value={name} onChange={(e) => setName(e.currentTarget.value)} error={fault?.fields.name} data-autofocus />
        <p className="small muted">Keeps <code>{q || 'all items'}</code>, the order and the columns.</p>
        {fault && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" loading={save.isPending}>Save</Button>
        </div>
      </form>
    </Modal>
  );
}

const outcome: Record<string, string> = { created: 'good', changed: 'accent', failed: 'bad' };

/** Line by line what happened, or would. */
function Report({ r }: { r: ImportReport }) {
  const lines = [...r.lines].sort((a, b) => Number(b.outcome === 'failed') - Number(a.outcome === 'failed') || a.line - b.line);
  const shown = lines.slice(0, 300);
  return (
    <div className="stack" style={{ gap: 6 }}>
      <p className="row" role="status">
        <strong>{r.dry_run ? 'It would be:' : 'Done:'}</strong>
        <span className="chip good">{r.created} new</span>
        <span className="chip accent">{r.changed} changed</span>
        <span className="chip">{r.unchanged} as they are</span>
        {r.failed > 0 && <span className="chip bad">{r.failed} refused</span>}
      </p>
      {shown.length > 0 && (
        <div className="scroll report" tabIndex={0} role="region" aria-label="Line by line">
          <table className="plain">
            <thead><tr><th scope="col">Line</th><th scope="col">Item</th><th scope="col">What</th></tr></thead>
            <tbody>
              {shown.map((l) => (
                <tr key={`${l.line} ${l.ci ?? ''}`}>
                  <td className="num muted">{l.line || ''}</td>
                  <td>{l.ci ? <CiLink id={l.ci} name={l.name} /> : (l.name ?? '')}</td>
                  <td className="diff-line">
                    <span className={`chip ${outcome[l.outcome] ?? ''}`}>{l.outcome}</span>{' '}
                    {l.errors?.join('; ')}
                    {l.changes?.map((c, n) => <span key={c.field}>{n > 0 && ', '}{label(c.field)} {c.old != null && <del>{show(c.field, c.old)}</del>} {c.new != null && <ins>{show(c.field, c.new)}</ins>}</span>)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {lines.length > shown.length && <p className="muted small">and {count(lines.length - shown.length, 'more line')}</p>}
    </div>
  );
}

/** A CSV file: first what would happen, then the act. */
export function ImportDialog({ close }: { close: () => void }) {
  const classes = useClasses();
  const [file, setFile] = useState<{ name: string; text: string }>();
  const [cls, setCls] = useState<string | null>(null);
  const [source, setSource] = useState('');
  const [tried, setTried] = useState<ImportReport>();
  const [done, setDone] = useState<ImportReport>();
  const run = useAssetAct((dryRun: boolean) => importCsv(file!.text, { class: cls ?? undefined, source, dryRun }), (r) => (r.dry_run ? setTried(r) : setDone(r)));
  const fault = run.error ? Fault.of(run.error) : undefined;
  const again = () => { setTried(undefined); run.reset(); };
  return (
    <Modal opened onClose={close} title="Import items from CSV" size="xl" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className="stack">
        {done ? (
          <>
            <Report r={done} />
            <div className="row" style={{ justifyContent: 'flex-end' }}><Button onClick={close}>Done</Button></div>
          </>
        ) : (
          <>
            <p className="small muted">The first line names the columns: class, name, id, tags, label.NAME, or fields such as owner and location. An empty cell says nothing. Each line is taken whole or not at all.</p>
            <label className="field">
              <span>File</span>
              <input type="file" accept=".csv,text/csv,text/plain" data-autofocus onChange={(e) => { const f = e.currentTarget.files?.[0]; again(); if (f) void f.text().then((text) => setFile({ name: f.name, text })); else setFile(undefined); }} />
            </label>
            <div className="row" style={{ alignItems: 'start' }}>
              <Select label="Class" description="Where the file has no column class" searchable clearable allowDeselect placeholder="from the file" data={(classes.data?.classes ?? []).map((c) => ({ value: c.name, label: c.name.replaceAll('_', ' ') }))} value={cls} onChange={(v) => { setCls(v); again(); }} />
              <TextInput label="Whose words these are" description="Ranks them beside other sources" placeholder="dcim" value={source} onChange={(e) => { setSource(e.currentTarget.value); again(); }} error={fault?.fields.source} />
            </div>
            {tried && <Report r={tried} />}
            {fault && <p className="note bad" role="alert">{fault.message}</p>}
            <div className="row" style={{ justifyContent: 'flex-end' }}>
              <Button variant="default" onClick={close}>Back</Button>
              <Button variant={tried ? 'default' : 'filled'} disabled={!file} loading={run.isPending && run.variables} onClick={() => run.mutate(true)}>Try it</Button>
              {tried && <Button disabled={tried.created + tried.changed === 0} loading={run.isPending && !run.variables} onClick={() => run.mutate(false)}>Import {count(tried.created + tried.changed, 'line')}</Button>}
            </div>
          </>
        )}
      </div>
    </Modal>
  );
}

/** Changes every item of a list: first what would change, then the act. */
export function BulkDialog({ q, total, close }: { q: string; total?: number; close: () => void }) {
  const classes = useClasses();
  const [field, setField] = useState<string | null>(null);
  const [value, setValue] = useState('');
  const [add, setAdd] = useState('');
  const [remove, setRemove] = useState('');
  const [tried, setTried] = useState<ImportReport>();
  const [done, setDone] = useState<ImportReport>();
  const fields = new Map((classes.data?.classes ?? []).flatMap((c) => (c.fields ?? []).filter((f) => !f.counter).map((f) => [f.name, f] as const)));
  const f = field ? fields.get(field) : undefined;
  const words = (s: string) => s.split(/[\s,]+/).filter(Boolean);
  const run = useAssetAct(
    (dryRun: boolean) => must(api.POST('/api/v1/cis/edit', { body: { q, set: field ? { [field]: value === '' ? null : parse(f?.type ?? '', value) } : undefined, add_tags: words(add).length ? words(add) : undefined, remove_tags: words(remove).length ? words(remove) : undefined, dry_run: dryRun } })),
    (r) => (r.dry_run ? setTried(r) : setDone(r)),
  );
  const fault = run.error ? Fault.of(run.error) : undefined;
  const again = () => { setTried(undefined); run.reset(); };
  const says = !!field || !!add.trim() || !!remove.trim();
  return (
    <Modal opened onClose={close} title={`Edit ${total === undefined ? 'all of this list' : count(total, 'item')}`} size="xl" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className="stack">
        {done ? (
          <>
            <Report r={done} />
            <div className="row" style={{ justifyContent: 'flex-end' }}><Button onClick={close}>Done</Button></div>
          </>
        ) : (
          <>
            <p className="small muted">Every item that matches <code>{q}</code>.</p>
            <div className="row" style={{ alignItems: 'start' }}>
              <Select label="Field" searchable clearable allowDeselect placeholder="none" data={[...fields.keys()].sort().map((n) => ({ value: n, label: label(n) }))} value={field} onChange={(v) => { setField(v); setValue(''); again(); }} error={fault?.fields.set} data-autofocus />
              {f?.values?.length ? <Select label="Value" data={[{ value: '', label: 'take back what you said' }, ...f.values.map((v) => ({ value: v, label: v }))]} value={value} onChange={(v) => { setValue(v ?? ''); again(); }} /> : <TextInput label="Value" type={f?.type === 'date' ? 'date' : 'text'} placeholder="empty: take back what you said" disabled={!field} value={value} onChange={(e) => { setValue(e.currentTarget.value); again(); }} />}
            </div>
            <div className="row" style={{ alignItems: 'start' }}>
              <TextInput label="Tags to add" value={add} onChange={(e) => { setAdd(e.currentTarget.value); again(); }} />
              <TextInput label="Tags to remove" value={remove} onChange={(e) => { setRemove(e.currentTarget.value); again(); }} />
            </div>
            {tried && <Report r={tried} />}
            {fault && <p className="note bad" role="alert">{fault.message}</p>}
            <div className="row" style={{ justifyContent: 'flex-end' }}>
              <Button variant="default" onClick={close}>Back</Button>
              <Button variant={tried ? 'default' : 'filled'} disabled={!says} loading={run.isPending && run.variables} onClick={() => run.mutate(true)}>Preview</Button>
              {tried && <Button disabled={tried.changed === 0} loading={run.isPending && !run.variables} onClick={() => run.mutate(false)}>Change {count(tried.changed, 'item')}</Button>}
            </div>
          </>
        )}
      </div>
    </Modal>
  );
}
