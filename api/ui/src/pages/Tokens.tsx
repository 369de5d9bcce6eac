import { Button, Modal, Select, Switch, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, Fault, must } from '../api/client';
import { useMay, useMe, useTokens, useUsers, type Token, type User } from '../api/queries';
import { Card, Snippet } from '../components/bits';
import { Failed, State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';

const roles = [
  { value: 'viewer', label: 'viewer: sees everything' },
  { value: 'responder', label: 'responder: also acts on incidents' },
  { value: 'manager', label: 'manager: also audit and people' },
  { value: 'admin', label: 'admin: everything' },
];
const machineRoles = [
  { value: 'ingest', label: 'ingest: an Alertmanager sends alerts' },
  { value: 'agent', label: 'agent: hosts join with it' },
];
const spans = [
  { value: '', label: 'never' },
  { value: '1d', label: 'in a day' },
  { value: '30d', label: 'in 30 days' },
  { value: '90d', label: 'in 90 days' },
  { value: '365d', label: 'in a year' },
];

export default function Tokens() {
  const admin = useMay('admin');
  const manager = useMay('manager');
  const me = useMe();
  useTitle('Tokens and people');
  return (
    <div className="page">
      <div className="page-head"><h1 className="grow">Tokens and people</h1></div>
      {me.data?.user && <OwnPassword has={me.data.password} />}
      {admin ? <TokenList /> : (
        <Card title="Tokens" id="tokens">
          <State icon="lock" title="Tokens are an administrator's">You are signed in as {me.data?.role}. Ask an administrator if a program needs a token.</State>
        </Card>
      )}
      {manager && <People admin={admin} />}
    </div>
  );
}

function TokenList() {
  const [agents, setAgents] = useState(false);
  const rows = useTokens(agents);
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Token>();
  const revoke = useMutation({
    mutationFn: (id: string) => must(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['tokens'] });
      setEnding(undefined);
    },
  });
  const columns: Column<Token>[] = [
    { id: 'name', label: 'Token', width: 'lead', bare: true, cell: (t) => <strong>{t.name}</strong> },
    { id: 'role', label: 'Role', width: 'fit', bare: true, cell: (t) => <span className="chip">{t.role}</span> },
    { id: 'for', label: 'For', width: 'fit', cell: (t) => t.user || t.source || t.ci || null },
    { id: 'used', label: 'Last used', width: 'fit', cell: (t) => (t.last_used_at ? <Time at={t.last_used_at} /> : <span className="muted">never</span>) },
    { id: 'made', label: 'Made', width: 'fit', cell: (t) => <span><Time at={t.created_at} /> by {t.created_by}</span> },
    { id: 'expires', label: 'Expires', width: 'fit', cell: (t) => (t.expired ? <span className="chip warn">expired</span> : t.expires_at ? <Time at={t.expires_at} /> : <span className="muted">never</span>) },
    { id: 'end', label: 'Revoke', width: 'fit', bare: true, cell: (t) => <Button size="compact-xs" variant="default" onClick={() => setEnding(t)} aria-label={`Revoke ${t.name}`}>Revoke</Button> },
  ];
  return (
    <Card title="Tokens" flush id="tokens" extra={<div className="row"><Switch size="xs" label="Joined agents" checked={agents} onChange={(e) => setAgents(e.currentTarget.checked)} /><Button onClick={() => setMaking(true)}>New token</Button></div>}>
      <Table name="tokens" label="Tokens" short columns={columns} rows={rows} rowKey={(t) => t.id} empty={<State icon="tokens" title="No token" />} />
      {making && <NewToken close={() => setMaking(false)} />}
      <Modal opened={!!ending} onClose={() => setEnding(undefined)} title="Revoke this token?" closeButtonProps={{ 'aria-label': 'Close' }}>
        <div className="stack">
          <p>“{ending?.name}” ends at once. Whatever uses it is refused from then on.</p>
          {revoke.error && <p className="note bad" role="alert">{Fault.of(revoke.error).message}</p>}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={() => setEnding(undefined)}>Keep it</Button>
            <Button loading={revoke.isPending} onClick={() => ending && revoke.mutate(ending.id)}>Revoke</Button>
          </div>
        </div>
      </Modal>
    </Card>
  );
}

function NewToken({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const [span, setSpan] = useState('90d');
  const make = useMutation({
    mutationFn: () => must(api.POST('/api/v1/tokens', { body: { name, role: role as 'viewer', expires_in: span || undefined } })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['tokens'] }),
  });
  const fault = make.error ? Fault.of(make.error) : undefined;
  return (
    <Modal opened onClose={close} title="New token" closeButtonProps={{ 'aria-label': 'Close' }}>
      {make.data ? (
        <div className="stack">
          <p>Copy it now: it is shown this once and kept only as a hash.</p>
          <Snippet text={make.data.token} label="the token" />
          <div className="row" style={{ justifyContent: 'flex-end' }}><Button onClick={close}>Done</Button></div>
        </div>
      ) : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); make.mutate(); }}>
          <TextInput label="What it is for" required value={name} onChange={(e) => setName(e.currentTarget.value)} error={fault?.fields.name} data-autofocus />
          <Select label="Role" data={[...roles, ...machineRoles]} value={role} onChange={(v) => setRole(v ?? 'viewer')} error={fault?.fields.role} />
          <Select label="Expires" data={spans} value={span} onChange={(v) => setSpan(v ?? '')} error={fault?.fields.expires_in} />
          {fault && <p className="note bad" role="alert">{fault.message}</p>}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={close}>Back</Button>
            <Button type="submit" loading={make.isPending}>Make token</Button>
          </div>
        </form>
      )}
    </Modal>
  );
}

function People({ admin }: { admin: boolean }) {
  const rows = useUsers(true);
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [link, setLink] = useState<{ url: string; user: string; expires: string }>();
  const [failed, setFailed] = useState('');
  const again = () => void client.invalidateQueries({ queryKey: ['users'] });
  const attempt = async (f: () => Promise<unknown>) => {
    setFailed('');
    try {
      await f();
      again();
    } catch (e) {
      setFailed(Fault.of(e).message);
    }
  };
  const columns: Column<User>[] = [
    { id: 'name', label: 'Person', width: 'lead', bare: true, cell: (u) => <><strong>{u.name}</strong> <span className="muted">{u.display}</span></> },
    { id: 'role', label: 'Role', width: 'fit', bare: true, cell: (u) => (admin ? <select className="inline" aria-label={`Role of ${u.name}`} value={u.role} onChange={(e) => void attempt(() => must(api.PATCH('/api/v1/users/{name}', { params: { path: { name: u.name } }, body: { role: e.target.value as 'viewer' } })))}>{roles.map((r) => <option key={r.value} value={r.value}>{r.value}</option>)}</select> : <span className="chip">{u.role}</span>) },
    { id: 'password', label: 'Password', width: 'fit', cell: (u) => (u.password ? 'set' : <span className="muted">none: login links only</span>) },
    { id: 'since', label: 'Since', width: 'fit', cell: (u) => <Time at={u.created_at} /> },
    { id: 'state', label: 'State', width: 'fit', bare: true, cell: (u) => (u.disabled ? <span className="chip warn">disabled</span> : null) },
    ...(admin ? [{ id: 'acts', label: 'Acts', width: 'fit', bare: true, cell: (u: User) => (
      <span className="row" style={{ flexWrap: 'nowrap' }}>
        <Button size="compact-xs" variant="default" disabled={u.disabled} onClick={() => void attempt(async () => { const l = await must(api.POST('/api/v1/login-links', { body: { user: u.name } })); setLink({ url: l.url, user: u.name, expires: l.expires_at }); })} aria-label={`Login link for ${u.name}`}>Login link</Button>
        <Button size="compact-xs" variant="default" onClick={() => void attempt(() => must(api.PATCH('/api/v1/users/{name}', { params: { path: { name: u.name } }, body: { disabled: !u.disabled } })))} aria-label={`${u.disabled ? 'Enable' : 'Disable'} ${u.name}`}>{u.disabled ? 'Enable' : 'Disable'}</Button>
      </span>
    ) }] as Column<User>[] : []),
  ];
  return (
    <Card title="People" flush id="people" extra={admin && <Button onClick={() => setAdding(true)}>Add a person</Button>}>
      {failed && <p className="note bad" role="alert" style={{ margin: 12 }}>{failed}</p>}
      {rows.error ? <Failed error={rows.error} retry={rows.retry} /> : <Table name="people" label="People" short columns={columns} rows={rows} rowKey={(u) => u.name} empty={<State icon="user" title="Nobody" />} />}
      {adding && <AddPerson close={() => setAdding(false)} done={again} />}
      <Modal opened={!!link} onClose={() => setLink(undefined)} title={`Login link for ${link?.user ?? ''}`} closeButtonProps={{ 'aria-label': 'Close' }}>
        {link && <div className="stack"><p>It lets {link.user} in once, until <Time at={link.expires} mode="clock" />.</p><Snippet text={link.url} label="the login link" /></div>}
      </Modal>
    </Card>
  );
}

function AddPerson({ close, done }: { close: () => void; done: () => void }) {
  const [name, setName] = useState('');
  const [display, setDisplay] = useState('');
  const [role, setRole] = useState('responder');
  const add = useMutation({
    mutationFn: () => must(api.POST('/api/v1/users', { body: { name, display: display || undefined, role: role as 'viewer' } })),
    onSuccess: () => { done(); close(); },
  });
  const fault = add.error ? Fault.of(add.error) : undefined;
  return (
    <Modal opened onClose={close} title="Add a person" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); add.mutate(); }}>
        <TextInput label="Name to sign in with" required value={name} onChange={(e) => setName(e.currentTarget.value)} error={fault?.fields.name} data-autofocus />
        <TextInput label="Full name" value={display} onChange={(e) => setDisplay(e.currentTarget.value)} error={fault?.fields.display} />
        <Select label="Role" data={roles} value={role} onChange={(v) => setRole(v ?? 'viewer')} />
        {fault && <p className="note bad" role="alert">{fault.message}</p>}
        <p className="muted small">Then make a login link: it lets the person in once, and they can set a password.</p>
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" loading={add.isPending}>Add</Button>
        </div>
      </form>
    </Modal>
  );
}

function OwnPassword({ has }: { has: boolean }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const save = useMutation({
    mutationFn: () => must(api.POST('/api/v1/session/password', { body: { current: current || undefined, new: next } })),
    onSuccess: () => { setOpen(false); setCurrent(''); setNext(''); void client.invalidateQueries({ queryKey: ['me'] }); },
  });
  const fault = save.error ? Fault.of(save.error) : undefined;
  return (
    <Card title="Your password" id="password" extra={!open && <Button variant="default" onClick={() => setOpen(true)}>{has ? 'Change it' : 'Set one'}</Button>}>
      {open ? (
        <form className="stack" style={{ maxWidth: 360 }} onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
          {has && <TextInput type="password" label="The present one" autoComplete="current-password" value={current} onChange={(e) => setCurrent(e.currentTarget.value)} error={fault?.fields.current} />}
          <TextInput type="password" label="The new one" description="At least 12 characters" autoComplete="new-password" required value={next} onChange={(e) => setNext(e.currentTarget.value)} error={fault?.fields.new} />
          {fault && Object.keys(fault.fields).length === 0 && <p className="note bad" role="alert">{fault.message}</p>}
          <div className="row"><Button type="submit" loading={save.isPending}>Save</Button><Button variant="default" onClick={() => setOpen(false)}>Back</Button></div>
        </form>
      ) : (
        <p className="muted">{has ? 'Changing it ends your other sessions.' : 'You have none: you came in by a one-time link. Set one to sign in again without asking.'}</p>
      )}
    </Card>
  );
}
