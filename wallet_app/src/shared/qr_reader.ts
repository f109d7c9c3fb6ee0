/**
 * Reading QR codes from camera frames and pictures: the browser's own reader where there is one,
 * else zxing, from our own server and only when somebody scans.
 */
export type Frame = HTMLVideoElement | ImageBitmap
export type ReadCode = (frame: Frame) => Promise<string | null>

interface NativeDetector {
  detect(frame: Frame): Promise<{ rawValue: string }[]>
}
interface NativeDetectorClass {
  new (options: { formats: string[] }): NativeDetector
  getSupportedFormats(): Promise<string[]>
}

const MAX_SIDE = 1280 // pixels; more costs time and reads no better

let reader: Promise<ReadCode> | null = null

/** The reader, made once. */
export function codeReader(): Promise<ReadCode> {
  reader ??= nativeReader().then((native) => native ?? zxingReader())
  reader.catch(() => (reader = null))
  return reader
}

async function nativeReader(): Promise<ReadCode | null> {
  const Detector = (globalThis as { BarcodeDetector?: NativeDetectorClass }).BarcodeDetector
  try {
    if (!Detector || !(await Detector.getSupportedFormats()).includes('qr_code')) return null
    const detector = new Detector({ formats: ['qr_code'] })
    return async (frame) => (await detector.detect(frame))[0]?.rawValue || null
  } catch {
    return null
  }
}

async function zxingReader(): Promise<ReadCode> {
  const [{ prepareZXingModule, readBarcodes }, { default: wasm }] = await Promise.all([
    import('zxing-wasm/reader'),
    import('zxing-wasm/reader/zxing_reader.wasm?url'),
  ])
  // Left alone, zxing-wasm loads its wasm from a public CDN.
  await prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true })
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })
  return async (frame) => {
    const [width, height] = sizeOf(frame)
    if (!context || !width || !height) return null
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height))
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
    context.drawImage(frame, 0, 0, canvas.width, canvas.height)
    const image = context.getImageData(0, 0, canvas.width, canvas.height)
    const found = await readBarcodes(image, { formats: ['QRCode'], maxNumberOfSymbols: 1, tryHarder: true })
    return found.find(({ isValid, text }) => isValid && text)?.text ?? null
  }
}

function sizeOf(frame: Frame): [number, number] {
  return frame instanceof HTMLVideoElement ? [frame.videoWidth, frame.videoHeight] : [frame.width, frame.height]
}
