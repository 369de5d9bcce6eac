import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { Link } from 'wouter';
import { api, Fault, must } from '../api/client';
import { useCis, useIncidents, useMay, useSources, useStatus } from '../api/queries';
import { Snippet } from '../components/bits';
import { Icon } from '../components/Icon';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { AddSource } from './Sources';

/** Leads through an empty installation. Each step turns green by what the server sees, not by a click. */
export default function Start() {
  const hosts = useCis({ q: 'class:host', limit: 5, sort: '-first_seen' }, true, 4000);
  const sources = useSources();
  const status = useStatus();
  const incidents = useIncidents({ sort: '-opened', limit: 3 });
  const admin = useMay('admin');
  const [adding, setAdding] = useState(false);
  useTitle('First steps');
  const heard = (sources.data?.items ?? []).filter((s) => s.last_heard_at);
  const received = status.data?.alerts_received ?? 0;
  const incident = incidents.items[0];
  const done = [hosts.items.length > 0, heard.length > 0, received > 0 && !!incident];
  const all = done.every(Boolean);
  return (
    <div className="page">
      <div className="page-head">
        <h1 className="grow">First steps</h1>
        <span className="muted">{done.filter(Boolean).length} of 3 done</span>
      </div>
      {all && (
        <p className="note">
          Everything is connected. <Link href="/">Go to what is open now</Link>, or press <kbd>?</kbd> for the keys.
        </p>
      )}
      <ol className="steps">
        <Step n={1} done={done[0]!} title="A machine in the inventory">
          {done[0] ? (
            <p>
              {hosts.total ?? hosts.items.length} {(hosts.total ?? hosts.items.length) === 1 ? 'host is' : 'hosts are'} known, the newest is <Link href={`/inventory/${encodeURIComponent(hosts.items[0]!.id)}`}>{hosts.items[0]!.name}</Link>.
            </p>
          ) : (
            <p>
              <code>make run</code> starts an agent for its own machine: it appears here within seconds.
            </p>
          )}
          {admin ? <Join /> : !done[0] && <p className="muted">An administrator can make the command that adds a machine.</p>}
        </Step>
        <Step n={2} done={done[1]!} title="An Alertmanager that sends here">
          {done[1] ? (
            <p>
              {heard.map((s) => s.source).join(', ')} last heard <Time at={heard.map((s) => s.last_heard_at!).sort().at(-1)} />.
            </p>
          ) : (
            <p>
              A ready snippet lies in <code>bootstrap/alertmanager.yml</code> under the server's storage path. Paste it into your Alertmanager's configuration and reload it.
            </p>
          )}
          {admin ? (
            <div className="row">
              <Button variant={done[1] ? 'default' : 'filled'} onClick={() => setAdding(true)}>
                {done[1] ? 'Add another source' : 'Make a snippet here'}
              </Button>
              <Link href="/sources" className="small">All sources</Link>
            </div>
          ) : (
            !done[1] && <p className="muted">An administrator can make a snippet.</p>
          )}
        </Step>
        <Step n={3} done={done[2]!} title="The first alert becomes an incident">
          {done[2] ? (
            <p>
              {received.toLocaleString()} alerts were received. The newest incident: <Link href={`/incidents/${incident!.id}`}>{incident!.title}</Link>.
            </p>
          ) : received > 0 ? (
            <p>
              {received.toLocaleString()} alerts were received, {status.data!.alerts_held} are held for now: a critical one opens an incident within 60 s. <Link href="/alerts?show=held">Look at what is held</Link>.
            </p>
          ) : (
            <>
              <p>Send one by hand to see the whole way. With Alertmanager's own tool:</p>
              <Snippet label="the test alert" text={`amtool alert add Test severity=critical instance=${hosts.items[0]?.name ?? 'HOST'} \\\n  --annotation=summary="A test of the way from alert to incident" \\\n  --alertmanager.url=http://localhost:9093`} />
            </>
          )}
        </Step>
      </ol>
      {adding && <AddSource close={() => setAdding(false)} />}
    </div>
  );
}

function Step({ n, done, title, children }: { n: number; done: boolean; title: string; children: ReactNode }) {
  return (
    <li className={`card step ${done ? 'done' : ''}`}>
      <span className="mark" aria-hidden="true">{done ? <Icon name="check" size={15} /> : n}</span>
      <div className="stack">
        <h2 style={{ paddingTop: 3 }}>
          {title} <span className="sr">{done ? '(done)' : '(not done yet)'}</span>
        </h2>
        {children}
      </div>
    </li>
  );
}

/** Makes a join token and the command that uses it. */
function Join() {
  const [command, setCommand] = useState('');
  const [failed, setFailed] = useState('');
  const make = async () => {
    setFailed('');
    try {
      const t = await must(api.POST('/api/v1/tokens', { body: { name: 'join token from first steps', role: 'agent', expires_in: '1d' } }));
      setCommand(`umask 077; echo '${t.token}' > watchbill-join-token\nwatchbill-agent --server.url ${location.origin} --token-file watchbill-join-token`);
    } catch (e) {
      setFailed(Fault.of(e).message);
    }
  };
  const loopback = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  return (
    <>
      {command ? (
        <>
          <p className="small muted">Run this on the machine. The token lets machines join for one day and is shown this once.</p>
          <Snippet label="the join command" text={command} />
          {loopback && <p className="note warn small">This server listens on loopback only. For other machines start it with <code>--web.listen-address</code> and TLS, and open this page under that address.</p>}
        </>
      ) : (
        <div><Button variant="default" onClick={() => void make()}>Make a command that adds a machine</Button></div>
      )}
      {failed && <p className="note bad" role="alert">{failed}</p>}
    </>
  );
}
