// Runs before the first paint, so that a remembered choice does not flash. A classic script: modules come later.
(() => {
  try {
    // In a frame, what its site says comes first.
    const asked = parent === window ? null : new URLSearchParams(location.hash.slice(1)).get('theme');
    const theme = asked ?? localStorage.getItem('sophie.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be off: then the system's preference decides.
  }
})();
