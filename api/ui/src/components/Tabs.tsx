import { Link, useLocation } from 'wouter';
import { useTaskCount } from '../api/assets';

function Tabs({ tabs, label }: { tabs: [to: string, name: string][]; label: string }) {
  const [path] = useLocation();
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map(([to, name]) => (
        <Link key={to} href={to} aria-current={path === to ? 'page' : undefined}>
          {name}
        </Link>
      ))}
    </nav>
  );
}

/** The inventory's sides: the items, what waits for a decision, how well it is kept, what ends. */
export function InventoryTabs() {
  const tasks = useTaskCount();
  return (
    <Tabs
      label="Sides of the inventory"
      tabs={[
        ['/inventory', 'Items'],
        ['/tasks', tasks ? `Tasks (${tasks})` : 'Tasks'],
        ['/quality', 'Quality'],
        ['/endings', 'What ends'],
      ]}
    />
  );
}

/** The alerts' sides: what came, which rules are of use, what people taught about them. */
export function AlertTabs() {
  return (
    <Tabs
      label="Sides of the alerts"
      tabs={[
        ['/alerts', 'Received'],
        ['/hygiene', 'Rule hygiene'],
        ['/teachings', 'Teachings'],
      ]}
    />
  );
}
