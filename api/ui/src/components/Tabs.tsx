import { Link, useLocation } from 'wouter';
import { useTaskCount } from '../api/assets';

/** The inventory's sides: the items, what waits for a decision, how well it is kept, what ends. */
export function InventoryTabs() {
  const [path] = useLocation();
  const tasks = useTaskCount();
  const tabs: [string, string][] = [
    ['/inventory', 'Items'],
    ['/tasks', tasks ? `Tasks (${tasks})` : 'Tasks'],
    ['/quality', 'Quality'],
    ['/endings', 'What ends'],
  ];
  return (
    <nav className="tabs" aria-label="Sides of the inventory">
      {tabs.map(([to, name]) => (
        <Link key={to} href={to} aria-current={path === to ? 'page' : undefined}>
          {name}
        </Link>
      ))}
    </nav>
  );
}
