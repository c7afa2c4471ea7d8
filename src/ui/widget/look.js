// How the widget looks. A part of /widget.js.

const ICONS = { chat: 'M4 5h16v11h-8l-5 4v-4H4V5Z', close: 'm6 6 12 12M18 6 6 18' };
const STYLE = `
  :host { all: initial !important; display: contents !important; }
  * { box-sizing: border-box; }
  .widget { --accent: light-dark(#2c5f54, #86c5b3); --on-accent: light-dark(#fff, #10211c); --gap: 1.25rem; --place: auto;
    color-scheme: light dark; font: 400 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
  .widget[data-theme="light"] { color-scheme: light; }
  .widget[data-theme="dark"] { color-scheme: dark; }
  button { font: inherit; cursor: pointer; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  iframe:focus-visible { outline: 0; }
  .launcher, .panel { position: fixed; z-index: 2147483000; }
  .launcher { bottom: calc(var(--gap) + env(safe-area-inset-bottom, 0px)); right: calc(var(--gap) + env(safe-area-inset-right, 0px));
    width: 3.5rem; height: 3.5rem; padding: 0; border: 2px solid light-dark(#fff, #10211c); border-radius: 50%;
    background: var(--accent); color: var(--on-accent); box-shadow: 0 2px 14px rgb(0 0 0 / 28%); }
  .launcher svg { display: block; width: 1.6rem; height: 1.6rem; margin: auto; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
  [data-open="true"] .launcher .chat, [data-open="false"] .launcher .close { display: none; }
  .badge { position: absolute; top: -.4rem; right: -.4rem; min-width: 1.5rem; padding: 0 .4rem; border-radius: 1rem; background: #b3261e; color: #fff; font-size: .8125rem; font-weight: 600; line-height: 1.5rem; text-align: center; }
  .badge[hidden], .waiting[hidden] { display: none; }
  .panel { display: block; visibility: hidden; inset: auto; right: calc(var(--gap) + env(safe-area-inset-right, 0px)); bottom: calc(var(--gap) + 4.5rem + env(safe-area-inset-bottom, 0px));
    width: min(25rem, calc(100vw - 2 * var(--gap))); height: min(42rem, calc(100vh - 2 * var(--gap) - 4.5rem)); max-width: none; max-height: none; margin: 0; padding: 0;
    overflow: hidden; border: 1px solid light-dark(#d9d6cd, #3a3f41); border-radius: 1rem; background: light-dark(#faf9f6, #151718); color: light-dark(#1f2422, #e7e8e5); box-shadow: 0 8px 40px rgb(0 0 0 / 24%); }
  .panel[open] { visibility: visible; }
  .panel::backdrop { background: none; }
  [data-position$="left"] :is(.launcher, .panel) { right: auto; left: calc(var(--gap) + env(safe-area-inset-left, 0px)); }
  [data-position^="top"] .launcher { bottom: auto; top: calc(var(--gap) + env(safe-area-inset-top, 0px)); }
  [data-position^="top"] .panel { bottom: auto; top: calc(var(--gap) + 4.5rem + env(safe-area-inset-top, 0px)); }
  iframe { display: block; width: 100%; height: 100%; border: 0; }
  .waiting { position: absolute; inset: 0; display: grid; align-content: center; justify-items: center; gap: 1rem; padding: 1.5rem; background: inherit; text-align: center; }
  .waiting p { margin: 0; }
  .waiting button { min-height: 2.5rem; padding: 0 1.1rem; border: 1px solid currentColor; border-radius: .65rem; background: none; color: inherit; }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  @media (max-width: 30rem), (max-height: 26rem) {
    .widget .panel { inset: 0; width: 100%; height: 100%; height: 100dvh; border: 0; border-radius: 0; padding: env(safe-area-inset-top, 0px) env(safe-area-inset-right, 0px) 0 env(safe-area-inset-left, 0px); }
    [data-open="true"] .launcher { visibility: hidden; }
  }
  @media print { .widget { display: none; } }`;

