import { useEffect, useRef } from 'react';

const setting = 'watchbill.keys';

/** Whether single keys act. People who dictate or mistype can switch them off (WCAG 2.1.4). */
export function keysOn(): boolean {
  return localStorage.getItem(setting) !== 'off';
}
export function setKeysOn(on: boolean) {
  if (on) localStorage.removeItem(setting);
  else localStorage.setItem(setting, 'off');
}

export type Bindings = Record<string, (() => void) | undefined>;

/** Dispatcher decides which act a key stands for. After the first key of a sequence
 * single keys stay quiet: "g a" goes to the alerts, it does not acknowledge. */
export class Dispatcher {
  private maps: { current: Bindings }[] = [];
  private first = '';
  private at = 0;

  add(map: { current: Bindings }): () => void {
    this.maps.push(map);
    return () => {
      this.maps = this.maps.filter((m) => m !== map);
    };
  }

  /** Returns the act for key at time t (milliseconds), the newest binding first; undefined if there is none. */
  press(key: string, t: number): (() => void) | undefined {
    const pair = this.first && t - this.at < 1500 ? `${this.first} ${key}` : '';
    this.first = '';
    if (pair) return this.find(pair);
    if (this.maps.some((m) => Object.entries(m.current).some(([k, f]) => f && k.startsWith(`${key} `)))) {
      this.first = key;
      this.at = t;
      return undefined;
    }
    return this.find(key);
  }

  private find(key: string) {
    for (let i = this.maps.length - 1; i >= 0; i--) {
      const act = this.maps[i]!.current[key];
      if (act) return act;
    }
    return undefined;
  }
}

const dispatcher = new Dispatcher();

/** True where a key belongs to what has the focus, or a dialog is open. */
export function busy(e: KeyboardEvent): boolean {
  if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return true;
  const t = e.target as HTMLElement | null;
  if (t?.closest?.('input, textarea, select, [contenteditable], [role="menu"], [role="listbox"], [role="combobox"]')) return true;
  return document.querySelector('[aria-modal="true"]') !== null;
}

let listening = false;
function listen() {
  if (listening) return;
  listening = true;
  document.addEventListener('keydown', (e) => {
    if (busy(e) || !keysOn() || e.key === 'Shift') return;
    const act = dispatcher.press(e.key, e.timeStamp);
    if (!act) return;
    e.preventDefault();
    act();
  });
}

/** Binds keys ("a", "?", "g i" for two in a row) to acts while the component is shown. */
export function useKeys(bindings: Bindings) {
  const latest = useRef(bindings);
  latest.current = bindings;
  useEffect(() => {
    listen();
    return dispatcher.add(latest);
  }, []);
}
