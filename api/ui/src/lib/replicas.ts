import type { Alert } from '../api/queries';

/** Whether an alert only repeats, seen by another replica of Prometheus, what another alert shows. */
export function isView(a: Alert): boolean {
  return (a.final_fate || a.fate) === 'duplicate';
}

/** One alert as one row, newest first: what fired five times, or is seen by two replicas of Prometheus, is one thing. */
export function sameAlert(alerts: Alert[]): Alert[][] {
  const by = new Map<string, Alert[]>();
  for (const a of alerts) {
    // Episodes of one series share a fingerprint, what replicas see at one time a canonical alert.
    const of = by.get(a.fingerprint) ?? by.get(a.canonical);
    const all = of ?? [];
    all.unshift(a);
    by.set(a.fingerprint, all).set(a.canonical, all);
  }
  return [...new Set(by.values())];
}

/** The labels in which one view of an alert differs from another: they name the replica. */
export function differing(a: Alert, from: Alert): string {
  return Object.entries(a.labels).filter(([k, v]) => from.labels[k] !== v).map(([k, v]) => `${k}=${v}`).join(', ');
}
