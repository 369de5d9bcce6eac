import { Combobox, TextInput, useCombobox } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { api, must } from '../api/client';
import { byteAt, charAt } from '../lib/text';
import { Icon } from './Icon';

interface Props {
  value: string;
  onChange: (v: string) => void;
  /** Called when the reader means the text as it stands. */
  onCommit?: () => void;
  onClear?: () => void;
  placeholder?: string;
  help?: string;
  label?: string;
  error?: string;
  /** Named by its label above instead of being the page's filter. */
  field?: boolean;
}

/** A field for the inventory's query language that proposes how the query may go on: fields, values, words. */
export function QueryField({ value, onChange, onCommit, onClear, placeholder, help, label = 'Filter', error, field }: Props) {
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const input = useRef<HTMLInputElement>(null);
  const [at, setAt] = useState(-1); // where the reader types; -1: nowhere
  const [asked, setAsked] = useState<{ q: string; at: number }>();
  useEffect(() => {
    if (at < 0) return;
    const t = setTimeout(() => setAsked({ q: value, at: byteAt(value, at) }), 120);
    return () => clearTimeout(t);
  }, [value, at]);
  const q = useQuery({
    queryKey: ['complete', asked],
    enabled: !!asked && at >= 0,
    staleTime: 30_000,
    retry: false,
    queryFn: () => must(api.GET('/api/v1/cis/complete', { params: { query: { q: asked!.q, at: asked!.at, limit: 12 } } })),
  });
  // Proposals for a text that has moved on would replace the wrong part.
  const current = asked?.q === value && at >= 0 ? q.data : undefined;
  const typed = current ? value.slice(charAt(value, current.from), charAt(value, current.to)) : '';
  const proposals = (current?.proposals ?? []).filter((p) => p !== typed);
  const shown = proposals.length > 0;
  useEffect(() => {
    if (shown && document.activeElement === input.current) box.openDropdown();
    else box.closeDropdown();
  }, [shown, value]);

  const take = (p: string) => {
    if (!current) return;
    const from = charAt(value, current.from);
    const text = p + (p.endsWith(':') || p.endsWith(' ') ? '' : ' ');
    const next = value.slice(0, from) + text + value.slice(charAt(value, current.to)).trimStart();
    onChange(next);
    setAt(from + text.length);
    box.closeDropdown();
    requestAnimationFrame(() => input.current?.setSelectionRange(from + text.length, from + text.length));
  };
  const where = () => setAt(input.current?.selectionStart ?? value.length);
  return (
    <Combobox store={box} onOptionSubmit={take} shadow="md" position="bottom-start" width="max-content">
      <Combobox.Target withExpandedAttribute>
        <TextInput
          ref={input}
          className="search"
          {...(field ? { label } : { 'data-search': true, 'aria-label': label })}
          placeholder={placeholder}
          title={help}
          value={value}
          error={error}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          leftSection={<Icon name="search" size={14} />}
          onChange={(e) => {
            onChange(e.currentTarget.value);
            setAt(e.currentTarget.selectionStart ?? e.currentTarget.value.length);
          }}
          onFocus={where}
          onClick={where}
          onBlur={() => {
            setAt(-1);
            box.closeDropdown();
          }}
          onKeyDown={(e) => {
            const open = box.dropdownOpened && shown;
            const chosen = box.getSelectedOptionIndex();
            if (open && e.key === 'Tab' && !e.shiftKey) {
              e.preventDefault();
              take(proposals[Math.max(0, chosen)]!);
            } else if (e.key === 'Enter' && !(open && chosen >= 0)) {
              box.closeDropdown();
              onCommit?.();
            } else if (e.key === 'Escape') {
              if (open) {
                e.stopPropagation();
                box.closeDropdown();
              } else if (onClear) {
                onClear();
                e.currentTarget.blur();
              }
            }
          }}
        />
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Options aria-label="How the query may go on" className="options">
          {proposals.map((p) => (
            <Combobox.Option key={p} value={p}>
              <code>{p}</code>
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
