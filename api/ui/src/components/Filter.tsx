import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useUrlState } from '../lib/url';
import { Icon } from './Icon';
import { Toggle } from './bits';

/** The text filter of a list. It writes the URL when the reader pauses. */
export function FilterText({ placeholder, help, name = 'q' }: { placeholder: string; help?: string; name?: string }) {
  const [params, set] = useUrlState();
  const inUrl = params.get(name) ?? '';
  const [text, setText] = useState(inUrl);
  useEffect(() => setText(inUrl), [inUrl]);
  useEffect(() => {
    if (text === inUrl) return;
    const t = setTimeout(() => set({ [name]: text }), 300);
    return () => clearTimeout(t);
  }, [text]);
  return (
    <TextInput
      className="search"
      data-search
      aria-label="Filter"
      placeholder={placeholder}
      title={help}
      value={text}
      leftSection={<Icon name="search" size={14} />}
      onChange={(e) => setText(e.currentTarget.value)}
      onKeyDown={(e) => {
        if (e.key === 'Enter') set({ [name]: text });
        if (e.key === 'Escape') {
          setText('');
          set({ [name]: null });
          e.currentTarget.blur();
        }
      }}
    />
  );
}

/** A filter that is on or off, kept in the URL under its name. */
export function FilterToggle({ name, value = '1', children }: { name: string; value?: string; children: string }) {
  const [params, set] = useUrlState();
  const on = params.get(name) === value;
  return (
    <Toggle on={on} onClick={() => set({ [name]: on ? null : value })}>
      {children}
    </Toggle>
  );
}

/** Joins filter terms; the parts that are off are left out. */
export function terms(...parts: (string | false | null | undefined)[]): string | undefined {
  const s = parts.filter(Boolean).join(' ').trim();
  return s || undefined;
}
