import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useUrlState } from '../lib/url';
import { Icon } from './Icon';
import { Toggle } from './bits';
import { QueryField } from './QueryField';

interface Props {
  placeholder: string;
  help?: string;
  /** Of the URL's parameter. */
  name?: string;
}

/** A text that is written to the URL when the reader pauses. */
function useFilterText(name: string, pause: number) {
  const [params, set] = useUrlState();
  const inUrl = params.get(name) ?? '';
  const [text, setText] = useState(inUrl);
  useEffect(() => setText(inUrl), [inUrl]);
  useEffect(() => {
    if (text.trim() === inUrl) return;
    const t = setTimeout(() => set({ [name]: text.trim() }), pause);
    return () => clearTimeout(t);
  }, [text]);
  return { text, setText, commit: () => set({ [name]: text.trim() }), clear: () => { setText(''); set({ [name]: null }); } };
}

/** The filter of a list of items: it proposes how the query may go on. */
export function FilterQuery({ placeholder, help, name = 'q' }: Props) {
  // Half a query is an error; the pause is longer than between the letters of a word.
  const { text, setText, commit, clear } = useFilterText(name, 700);
  return <QueryField value={text} onChange={setText} onCommit={commit} onClear={clear} placeholder={placeholder} help={help} />;
}

/** The text filter of a list. */
export function FilterText({ placeholder, help, name = 'q' }: Props) {
  const { text, setText, commit, clear } = useFilterText(name, 300);
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
        if (e.key === 'Enter') commit();
        if (e.key === 'Escape') {
          clear();
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
