import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { fetchCis, quoted } from '../api/queries';

export interface Picked {
  id: string;
  name: string;
  class: string;
}

interface Props {
  label: string;
  description?: string;
  value: Picked[];
  onChange: (v: Picked[]) => void;
  /** One item only. */
  single?: boolean;
  /** Never offered: the item itself. */
  without?: string;
  error?: string;
  autofocus?: boolean;
}

/** Finds items by a few letters of their name and keeps what was chosen. */
export function CiPicker({ label, description, value, onChange, single, without, error, autofocus }: Props) {
  const [search, setSearch] = useState('');
  const [settled, setSettled] = useState('');
  useEffect(() => {
    const t = setTimeout(() => setSettled(search.trim()), 150);
    return () => clearTimeout(t);
  }, [search]);
  const q = useQuery({ queryKey: ['cis', 'pick', settled], queryFn: () => fetchCis({ q: settled ? settled.split(/\s+/).map(quoted).join(' ') : undefined, limit: 20 }), staleTime: 30_000 });
  const known = [...(q.data?.items ?? []).filter((c) => c.id !== without), ...(single ? value : [])];
  const offered = new Map(known.filter((c) => single || !value.some((v) => v.id === c.id)).map((c) => [c.id, { value: c.id, label: `${c.name} (${c.class.replaceAll('_', ' ')})` }]));
  return (
    <div className="stack" style={{ gap: 6 }}>
      <Select
        label={label}
        description={description}
        searchable
        placeholder="Type a part of a name"
        data={[...offered.values()]}
        filter={({ options }) => options}
        value={single ? (value[0]?.id ?? null) : null}
        searchValue={search}
        onSearchChange={setSearch}
        nothingFoundMessage={q.isFetching ? 'Looking…' : 'Nothing by that name'}
        onChange={(id) => {
          const c = known.find((x) => x.id === id);
          if (!c) return;
          onChange(single ? [{ id: c.id, name: c.name, class: c.class }] : [...value, { id: c.id, name: c.name, class: c.class }]);
          if (!single) setSearch('');
        }}
        error={error}
        {...(autofocus ? { 'data-autofocus': true } : {})}
      />
      {!single && value.length > 0 && (
        <ul className="row" aria-label="Chosen items" style={{ gap: 6 }}>
          {value.map((v) => (
            <li key={v.id} className="chip">
              {v.name}
              <button type="button" className="chip-end" aria-label={`Leave ${v.name} out`} onClick={() => onChange(value.filter((x) => x.id !== v.id))}>
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
