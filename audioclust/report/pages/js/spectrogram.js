// The chosen recording's spectrogram, computed from its sound: level over time and logarithmic frequency, 60 dB deep.
const WINDOW = 512,
  BANDS = 96,
  FRAMES = 400,
  LOWEST = 60,
  DEPTH = 60;
const MAGMA = [
  [0, 0, 4],
  [28, 16, 68],
  [79, 18, 123],
  [129, 37, 129],
  [181, 54, 122],
  [229, 80, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
];

/** Draw the sound in `bytes` into a canvas; return its duration in seconds. */
export async function drawSpectrogram(canvas, bytes) {
  const rate = 16000,
    decoder = new OfflineAudioContext(1, 1, rate);
  const sound = (await decoder.decodeAudioData(bytes.slice().buffer)).getChannelData(0);
  const frames = Math.min(FRAMES, Math.max(2, Math.floor(sound.length / 64)));
  const levels = new Float32Array(frames * BANDS);
  const real = new Float32Array(WINDOW),
    imaginary = new Float32Array(WINDOW),
    power = new Float32Array(WINDOW / 2 + 1);
  let loudest = 1e-12;
  for (let frame = 0; frame < frames; frame++) {
    const start = Math.round((frame * (sound.length - 1)) / (frames - 1)) - WINDOW / 2;
    for (let k = 0; k < WINDOW; k++)
      real[k] = (sound[start + k] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * k) / WINDOW));
    imaginary.fill(0);
    transform(real, imaginary);
    for (let k = 0; k < power.length; k++) power[k] = real[k] ** 2 + imaginary[k] ** 2;
    for (let band = 0; band < BANDS; band++) {
      const bin = (LOWEST * (rate / 2 / LOWEST) ** (band / (BANDS - 1))) / (rate / WINDOW),
        low = Math.min(Math.floor(bin), power.length - 2);
      const level = power[low] + (power[low + 1] - power[low]) * (bin - low);
      levels[frame * BANDS + band] = level;
      loudest = Math.max(loudest, level);
    }
  }
  const image = new ImageData(frames, BANDS);
  levels.forEach((level, place) => {
    const share = Math.max(0, 1 + (10 * Math.log10(Math.max(level / loudest, 1e-9))) / DEPTH),
      at = share * (MAGMA.length - 1);
    const low = Math.min(Math.floor(at), MAGMA.length - 2),
      x = Math.floor(place / BANDS),
      y = BANDS - 1 - (place % BANDS);
    const colour = MAGMA[low].map((value, channel) => value + (MAGMA[low + 1][channel] - value) * (at - low));
    image.data.set([...colour, 255], 4 * (y * frames + x));
  });
  canvas.width = frames;
  canvas.height = BANDS;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return sound.length / rate;
}

/** The discrete Fourier transform of a power of two of values, in place. */
function transform(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const angle = (-2 * Math.PI * k) / size,
        cosine = Math.cos(angle),
        sine = Math.sin(angle);
      for (let start = k; start < n; start += size) {
        const other = start + size / 2;
        const a = real[other] * cosine - imaginary[other] * sine,
          b = real[other] * sine + imaginary[other] * cosine;
        real[other] = real[start] - a;
        imaginary[other] = imaginary[start] - b;
        real[start] += a;
        imaginary[start] += b;
      }
    }
  }
}
