import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useViews, type Alert } from '../api/queries';
import { differing, sameAlert } from '../lib/replicas';
import { count } from '../lib/text';
import { Time } from '../lib/time';
import { CiLink, FateChip, fateWord, Labels, Linked, Severity, StateChip } from './bits';
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
  const alone = !rows.more && rows.items.every((a) => a.canonical === rows.items[0]!.canonical) ? rows.items[0] : undefined;
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
              <span className="muted small" style={{ marginLeft: 'auto' }}>{count(sameAlert(alerts).length, 'alert')}</span>
            </h3>
            {sameAlert(shown).map((e) => (
              <AlertRow key={e[0]!.id} a={e[0]!} others={e.slice(1)} />
            ))}
          </section>
        );
      })}
      {alone && <OtherViews a={alone} />}
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

function AlertRow({ a, others }: { a: Alert; others: Alert[] }) {
  const all = [a, ...others];
  const replicas = new Set(all.map((o) => o.fingerprint)).size;
  const times = new Set(all.map((o) => o.canonical)).size;
  return (
    <details className="alert-row">
      <summary>
        <span className="grow">
          <strong>{a.name}</strong> <span className="muted small">{a.annotations.summary}</span>
        </span>
        {times > 1 && <span className="chip" title={`fired ${times} times`}>×{times}</span>}
        {replicas > 1 && <span className="chip" title={`${replicas} replicas of Prometheus see the same alert`}>{replicas} replicas</span>}
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
            {' '}· also received:{' '}
            {others.slice(0, 8).map((o, n) => (
              <span key={o.id}>
                {n > 0 && ', '}
                <Link href={`/alerts/${o.id}`}>{o.id}</Link> <span className="muted"><Time at={o.starts_at} mode="clock" /></span>
              </span>
            ))}
            {others.length > 8 && ` and ${others.length - 8} more`}
          </>
        )}
      </p>
    </details>
  );
}

/** Other replicas' views of an incident's only alert: they are no company, and so not among its alerts. */
function OtherViews({ a }: { a: Alert }) {
  const views = useViews(a);
  if (views.length === 0) return null;
  return (
    <p className="small muted wrap" style={{ padding: '8px 14px' }}>
      The same alert is also seen by {views.length === 1 ? 'another replica' : `${views.length} other replicas`}:{' '}
      {views.map((v, n) => (
        <span key={v.id}>
          {n > 0 && ', '}
          <Link href={`/alerts/${v.id}`}>{v.id}</Link>{differing(v, a) && ` (${differing(v, a)})`}
        </span>
      ))}
      . It counts once; {views.length === 1 ? 'that view joins' : 'those views join'} here when other alerts do.
    </p>
  );
}

/** Why an alert is where it is: the fate in words, each piece of evidence as a sentence and as a number. */
// What a reason is in plain words; how much it counts is a detail.
const evidenceKinds: Record<string, string> = { time: 'same time', age: 'same time', flood: 'same time', topology: 'linked by', merge: 'linked by', split: 'linked by', class: 'same kind', habit: 'learned from', company: 'learned from' };
const evidenceKind = (signal: string) => evidenceKinds[signal] ?? signal;

export function AlertWhy({ a }: { a: Alert }) {
  return (
    <>
      <p className="small" style={{ marginTop: 6 }}>
        <span className="chip">{fateWord(a.fate)}</span>
        {a.final_fate && a.final_fate !== a.fate && <> → <span className="chip">{fateWord(a.final_fate)}</span></>} <Linked text={reason(a.fate, a.why)} />
        {a.final_why && a.final_why !== a.why && <>; then <Linked text={a.final_why} /></>}
      </p>
      {a.evidence.length > 0 && (
        <div className="evidence" role="list" aria-label="Evidence">
          {a.evidence.map((e, n) => (
            <div key={n} role="listitem" style={{ display: 'contents' }}>
              <span className="wrap"><Linked text={e.text} /></span>
              <span className="chip" title={`weight ${e.weight.toFixed(2)} (logarithm of odds)`}>{evidenceKind(e.signal)}</span>
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

/** A reason without the fate that it begins with, for where the fate stands before it. */
function reason(fate: string, why: string): string {
  return why.startsWith(`${fate}: `) ? why.slice(fate.length + 2) : why;
}
