// One answer as it grows. Offsets count Unicode scalar values, JavaScript strings UTF-16 units: hence the care. No DOM.

export class Answer {
  constructor({ answer, group, message, model = '', cache = '' }) {
    Object.assign(this, { answer, group, message, model, cache });
    this.text = '';
    this.length = 0;
    this.state = 'running';
    this.version = 0;
  }

  // All of it so far, as a new connection is told.
  resume(text) {
    this.text = text;
    this.length = scalars(text);
    this.version += 1;
  }

  delta(offset, text) {
    // A hole cannot be mended from here; the whole text comes with the end.
    if (this.state !== 'running' || offset > this.length) return;
    const known = this.length - offset;
    const fresh = known === 0 ? text : Array.from(text).slice(known).join('');
    if (!fresh) return;
    this.text += fresh;
    this.length += scalars(fresh);
    this.version += 1;
  }

  end({ seq, text, message, finish_reason: finishReason, latency_ms: latencyMs, usage }) {
    const state = finishReason === 'cancelled' ? 'cancelled' : 'done';
    Object.assign(this, { seq, text, state, finishReason, latencyMs, usage, message: message ?? this.message });
    this.version += 1;
  }

  fail({ seq, text, message, code, reason }) {
    Object.assign(this, { seq, text, state: 'failed', code, reason, message: message ?? this.message });
    this.version += 1;
  }
}

function scalars(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
