// The colour that the settings give the page: as it is where text in it can be read, else lighter or darker.

// The grounds of the page in light and dark, and the least contrast of text (WCAG 2, AA).
const GROUNDS = { light: [242, 240, 234], dark: [38, 50, 46] };
const LEAST = 4.6;

const digits = (color) => (color.length === 4 ? [...color.slice(1)].map((one) => one + one) : color.slice(1).match(/../g));

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// The colour, moved towards black or white until it can be read on that ground.
function readable(rgb, ground, towards) {
  let color = rgb;
  for (let step = 0; step < 20 && contrast(color, ground) < LEAST; step += 1) color = color.map((value) => Math.round(value + (towards - value) * 0.12));
  return color;
}

const css = (rgb) => `rgb(${rgb.join(' ')})`;
const on = (rgb) => (contrast(rgb, [255, 255, 255]) >= contrast(rgb, [16, 33, 28]) ? '#ffffff' : '#10211c');

export function colors(color) {
  const rgb = digits(color).map((pair) => Number.parseInt(pair, 16));
  const light = readable(rgb, GROUNDS.light, 0);
  const dark = readable(rgb, GROUNDS.dark, 255);
  return { '--accent': `light-dark(${css(light)}, ${css(dark)})`, '--on-accent': `light-dark(${on(light)}, ${on(dark)})` };
}

export function wear({ name, color }) {
  document.querySelector('#brand').textContent = name;
  document.title = name;
  if (!/^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(color)) return;
  for (const [property, value] of Object.entries(colors(color))) document.documentElement.style.setProperty(property, value);
}
