// Runs before the first paint, so that a remembered choice does not flash. A classic script: modules come later.
(() => {
  try {
    const theme = localStorage.getItem('sophie.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be off: then the system's preference decides.
  }
})();
