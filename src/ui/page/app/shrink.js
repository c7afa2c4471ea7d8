// Makes an image small enough to be sent: as it is where it fits, and else drawn anew, smaller and smaller. No DOM but a canvas.

// The longest sides that are tried, in pixels. Models look at no more than the first.
const SIDES = [1_568, 1_024, 768, 512, 256];
const QUALITIES = [0.85, 0.7];
// A photograph is always drawn anew: a camera may have written into it where it was taken.
const AS_THEY_ARE = { 'image/png': [0x89, 0x50, 0x4e, 0x47], 'image/webp': [0x52, 0x49, 0x46, 0x46], 'image/gif': [0x47, 0x49, 0x46, 0x38] };

// The image as a `data:` URL of at most so many bytes; null if it is none, or cannot be made small enough.
export async function shrunk(file, most) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return null;
  try {
    if (file.size <= most && (await isWhatItSays(file))) return await dataUrl(file);
    for (const side of SIDES)
      for (const quality of QUALITIES) {
        const blob = await drawn(picture, side, quality);
        if (blob && blob.size <= most) return await dataUrl(blob);
      }
    return null;
  } finally {
    picture.close();
  }
}

async function isWhatItSays(file) {
  const magic = AS_THEY_ARE[file.type];
  if (!magic) return false;
  const bytes = new Uint8Array(await file.slice(0, magic.length).arrayBuffer());
  return magic.every((byte, at) => bytes[at] === byte);
}

function drawn(picture, side, quality) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext('2d');
  // What one can see through would be black.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
