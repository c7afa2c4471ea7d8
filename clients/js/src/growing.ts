// A text that grows by pieces with their places. Offsets count Unicode scalar values, JavaScript strings UTF-16 units: hence the care.

export class Growing {
  /** All of it so far. */
  text = '';
  /** Its length in Unicode scalar values. */
  length = 0;

  /** A piece of it. What is new of that: a piece may overlap with what is known. A hole cannot be mended from here. */
  add(offset: number, text: string): string {
    if (offset > this.length) return '';
    const known = this.length - offset;
    const fresh = known === 0 ? text : Array.from(text).slice(known).join('');
    this.text += fresh;
    this.length += scalars(fresh);
    return fresh;
  }

  /** All of it, as it is in the end. */
  set(text: string): void {
    this.text = text;
    this.length = scalars(text);
  }
}

function scalars(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
