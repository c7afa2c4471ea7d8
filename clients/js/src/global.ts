// The same for a page without a bundler: `<script src="https://chat.example.com/client.js"></script>` makes `Sophie`, which connects to
// where the script came from.

import { Answer } from './answer.js';
import { SophieError } from './errors.js';
import { randomName } from './names.js';
import { Sophie } from './sophie.js';

const script = document.currentScript as HTMLScriptElement | null;
if (script?.src) Sophie.origin = new URL('.', script.src).href;
Object.assign(globalThis, { Sophie: Object.assign(Sophie, { Answer, SophieError, randomName }) });
