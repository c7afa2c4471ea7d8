// The light and dark switch. A choice that agrees with the system is not kept, so that the page follows it again.

export function toggleTheme() {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const next = (root.dataset.theme ?? system) === 'dark' ? 'light' : 'dark';
  if (next === system) delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    if (next === system) localStorage.removeItem('sophie.theme');
    else localStorage.setItem('sophie.theme', next);
  } catch {
    // Storage may be off: then the choice lasts until the page is left.
  }
}
