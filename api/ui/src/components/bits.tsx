import { Tooltip } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { Link } from 'wouter';
import type { Alert } from '../api/queries';
import { ciName, words } from '../lib/text';
import { Icon } from './Icon';

const priorities = ['', 'critical', 'high', 'moderate', 'low', 'planning'];

export function Priority({ value }: { value: number }) {
  return (
    <span className={`chip prio p${value}`} title={`Priority ${value}: ${priorities[value] ?? ''}`}>
      P{value}
    </span>
  );
}

const stateTone: Record<string, string> = { new: 'bad', in_progress: 'accent', on_hold: 'warn', resolved: 'good', firing: 'bad', stale: 'warn', expired: 'warn' };

export function StateChip({ state, reason }: { state: string; reason?: string }) {
  return (
    <span className={`chip ${stateTone[state] ?? ''}`}>
      {words(state)}
      {reason ? ` · ${reason}` : ''}
    </span>
  );
}

const severityTone: Record<string, string> = { critical: 'p1', error: 'p2', warning: 'p3', info: 'p4' };

export function Severity({ value }: { value?: string }) {
  if (!value) return null;
  return <span className={`chip ${severityTone[value] ?? ''}`}>{value}</span>;
}

/** A share as a number with a small bar; the bar adds nothing a screen reader needs. */
export function Meter({ value, digits = 0 }: { value: number; digits?: number }) {
  return (
    <span className="nowrap num">
      <span className="meter" aria-hidden="true">
        <span style={{ width: `${Math.round(Math.min(1, Math.max(0, value)) * 100)}%` }} />
      </span>
      <span className="percent">{(value * 100).toFixed(digits)} %</span>
    </span>
  );
}

/** A link to a configuration item. */
export function CiLink({ id, name }: { id: string; name?: string }) {
  return (
    <Link href={`/inventory/${encodeURIComponent(id)}`} title={id}>
      {name ?? ciName(id)}
    </Link>
  );
}

export function Labels({ labels, skip = [] }: { labels?: Record<string, string>; skip?: string[] }) {
  const entries = Object.entries(labels ?? {}).filter(([k]) => !skip.includes(k));
  if (entries.length === 0) return <span className="muted">none</span>;
  return (
    <span className="row" style={{ gap: 4 }}>
      {entries.map(([k, v]) => (
        <code key={k} className="small">
          {k}={v}
        </code>
      ))}
    </span>
  );
}

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <Tooltip label={done ? 'Copied' : label}>
      <button
        type="button"
        className="toggle"
        aria-label={label}
        onClick={() => {
          void copyText(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1500);
          });
        }}
      >
        <Icon name={done ? 'check' : 'copy'} size={14} />
      </button>
    </Tooltip>
  );
}

// The clipboard API is missing on plain HTTP away from localhost.
async function copyText(text: string) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const t = document.createElement('textarea');
  t.value = text;
  document.body.append(t);
  t.select();
  document.execCommand('copy');
  t.remove();
}

export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="snippet-wrap">
      <pre className="snippet" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <span className="copy">
        <Copy text={text} label={`Copy ${label}`} />
      </span>
    </div>
  );
}

export function Card({ title, extra, children, flush, id }: { title?: ReactNode; extra?: ReactNode; children: ReactNode; flush?: boolean; id?: string }) {
  return (
    <section className="card" aria-labelledby={title && id ? id : undefined}>
      {title && (
        <div className="card-head">
          <h2 className="grow" id={id}>
            {title}
          </h2>
          {extra}
        </div>
      )}
      <div className={flush ? 'card-body flush' : 'card-body'}>{children}</div>
    </section>
  );
}

export function Toggle({ on, onClick, children }: { on: boolean; onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" className="toggle" aria-pressed={on} onClick={onClick}>
      {children}
    </button>
  );
}

/** A word for a fate. The record of a repeat that was received as an alert of its own is another replica's view. */
export function fateWord(fate: Alert['fate']): string {
  return fate === 'duplicate' ? 'replica’s view' : fate;
}

/** Where an alert ended, in one word, with the reason beside it. */
export function FateChip({ a }: { a: Alert }) {
  const last = a.final_fate || a.fate;
  const held = a.fate === 'held' && !a.final_fate;
  const tone = last === 'incident' ? 'accent' : held ? 'warn' : last === 'invalid' ? 'bad' : '';
  return (
    <span className={`chip ${tone}`} title={a.final_why || a.why}>
      {a.fate === 'held' && a.final_fate && a.final_fate !== 'held' ? `held → ${fateWord(last)}` : fateWord(last)}
    </span>
  );
}

const recordPages: Record<string, string> = { INC: 'incidents', ALT: 'alerts', PRB: 'problems', MNT: 'maintenance' };

/** A sentence of the server's in which the records that it names are links. */
export function Linked({ text }: { text: string }) {
  return text.split(/\b((?:INC|ALT|PRB|MNT)\d{8,})\b/).map((part, n) => (n % 2 ? <Link key={n} href={`/${recordPages[part.slice(0, 3)]}/${part}`}>{part}</Link> : part));
}
