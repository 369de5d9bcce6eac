import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { Alert } from '../api/queries';
import { count } from '../lib/text';
import { Time } from '../lib/time';
import { CiLink, FateChip, Labels, Severity, StateChip } from './bits';
import { Failed, Loading } from './State';
import type { Rows } from './Table';

/** An incident's alerts under the item that they are about, each with its fate and the reasons for it. */
export function AlertsByCi({ rows }: { rows: Rows<Alert> }) {
  const [most, setMost] = useState(40);
  const groups = useMemo(() => {
    const by = new Map<string, Alert[]>();
    for (const a of rows.items) {
      const key = a.binding?.ci ?? '';
      by.set(key, [...(by.get(key) ?? []), a]);
    }
    return [...by.entries()].sort(([a], [b]) => Number(a === '') - Number(b === ''));
  }, [rows.items]);
  if (rows.error && rows.items.length === 0) return <Failed error={rows.error} retry={rows.retry} />;
  if (rows.loading) return <Loading lines={6} />;
  if (rows.items.length === 0) return <p className="muted" style={{ padding: 14 }}>No alert belongs to it.</p>;
  let left = most;
  return (
    <>
      {groups.map(([ci, alerts]) => {
        const shown = alerts.slice(0, Math.max(0, left));
        left -= shown.length;
        if (shown.length === 0) return null;
        const b = alerts[0]!.binding;
        return (
          <section key={ci} className="ci-group">
            <h3>
              {b ? <CiLink id={b.ci} name={b.name} /> : <span>Not bound to an item</span>}
              {b && <span className="muted small">{b.class.replaceAll('_', ' ')}</span>}
              <span className="muted small" style={{ marginLeft: 'auto' }}>{count(alerts.length, 'alert')}</span>
            </h3>
            {episodes(shown).map((e) => (
              <AlertRow key={e[0]!.id} a={e[0]!} others={e.slice(1)} />
            ))}
          </section>
        );
      })}
      {(rows.items.length > most || rows.more) && (
        <div className="row" style={{ padding: 12, justifyContent: 'center' }}>
          <Button
            variant="default"
            loading={rows.loadingMore}
            onClick={() => {
              setMost(most + 200);
              if (rows.more) rows.loadMore?.();
            }}
          >
            Show more of {rows.items.length}{rows.more ? '+' : ''} alerts
          </Button>
        </div>
      )}
    </>
  );
}

/** Episodes of one series as one row, newest first: five times the same alert is one thing that came five times. */
function episodes(alerts: Alert[]): Alert[][] {
  const by = new Map<string, Alert[]>();
  for (const a of alerts) by.set(a.fingerprint, [a, ...(by.get(a.fingerprint) ?? [])]);
  return [...by.values()];
}

function AlertRow({ a, others }: { a: Alert; others: Alert[] }) {
  return (
    <details className="alert-row">
      <summary>
        <span className="grow">
          <strong>{a.name}</strong> <span className="muted small">{a.annotations.summary}</span>
        </span>
        {others.length > 0 && <span className="chip" title={`fired ${others.length + 1} times`}>×{others.length + 1}</span>}
        <Severity value={a.severity} />
        <StateChip state={a.status} />
        <FateChip a={a} />
        <span className="muted small">
          <Time at={a.starts_at} />
        </span>
      </summary>
      <AlertWhy a={a} />
      <p className="small" style={{ marginTop: 8 }}>
        <Link href={`/alerts/${a.id}`}>All about this alert</Link>
        {others.length > 0 && (
          <>
            {' '}· earlier:{' '}
            {others.slice(0, 8).map((o, n) => (
              <span key={o.id}>
                {n > 0 && ', '}
                <Link href={`/alerts/${o.id}`}><Time at={o.starts_at} mode="clock" /></Link>
              </span>
            ))}
          </>
        )}
      </p>
    </details>
  );
}

/** Why an alert is where it is: the fate in words, each piece of evidence as a sentence and as a number. */
export function AlertWhy({ a }: { a: Alert }) {
  return (
    <>
      <p className="small" style={{ marginTop: 6 }}>
        <span className="chip">{a.fate}</span>
        {a.final_fate && a.final_fate !== a.fate && <> → <span className="chip">{a.final_fate}</span></>} {a.why}
        {a.final_why && a.final_why !== a.why && `; then ${a.final_why}`}
      </p>
      {a.evidence.length > 0 && (
        <div className="evidence" role="list" aria-label="Evidence">
          {a.evidence.map((e, n) => (
            <div key={n} role="listitem" style={{ display: 'contents' }}>
              <span className="wrap">{e.text}</span>
              <span className="chip">{e.signal}</span>
              <span className="num muted">{e.weight >= 0 ? '+' : ''}{e.weight.toFixed(2)}</span>
            </div>
          ))}
        </div>
      )}
      {a.binding && (
        <p className="small muted wrap" style={{ marginTop: 4 }}>
          Bound to {a.binding.name} with {a.binding.score} %: {a.binding.evidence}
        </p>
      )}
      <div style={{ marginTop: 6 }}>
        <Labels labels={a.labels} skip={['alertname']} />
      </div>
    </>
  );
}
