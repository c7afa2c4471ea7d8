// What this browser keeps. Storage may be off, full or changed by hand: then nothing is kept, and nothing fails.

export function kept(name, storage = 'localStorage') {
  try {
    return JSON.parse(globalThis[storage].getItem(name));
  } catch {
    return null;
  }
}

// Says whether it is kept.
export function keep(name, value, storage = 'localStorage') {
  try {
    if (value === null) globalThis[storage].removeItem(name);
    else globalThis[storage].setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
