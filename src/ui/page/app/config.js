// What the settings say of this page, asked once before anything is shown. Without an answer the page is as it comes.

const DEFAULTS = { name: 'Sophie', color: '', greeting: '', examples: ['auto'], language: 'auto', sign_in: 'none', max_text_chars: 16_000, max_images: 0, max_image_bytes: 0, max_frame_bytes: 0, person: false, feedback: false };

async function read() {
  try {
    const response = await fetch(new URL('page/config.json', document.baseURI), { cache: 'no-cache' });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

export const config = Object.freeze({ ...DEFAULTS, ...(await read()) });
