/** CRC32 of the bytes of all parts together, from the CRC32 of each. */
export function combineCrc32(parts: readonly { readonly crc32: number; readonly size: number }[]): number {
  const operators = new Map<number, Uint32Array>();
  let combined = 0;
  for (const { crc32, size } of parts) {
    // Parts are of equal size but for the last, so that two operators serve all of them.
    const operator = operators.get(size) ?? appendZeroBytes(size);
    operators.set(size, operator);
    combined = (apply(operator, combined) ^ crc32) >>> 0;
  }
  return combined;
}

/** CRC32 is linear over bits: what appending zero bytes does to it is a 32 x 32 matrix, given by its columns. */
function appendZeroBytes(count: number): Uint32Array {
  let result = Uint32Array.from({ length: 32 }, (_, bit) => 2 ** bit);
  // One zero bit: a shift to the right, and the polynomial (reversed) where a one falls out.
  let power = Uint32Array.from({ length: 32 }, (_, bit) => (bit === 0 ? 0xedb88320 : 2 ** (bit - 1)));
  for (let bits = count * 8; bits > 0; bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) result = multiply(power, result);
    power = multiply(power, power);
  }
  return result;
}

function multiply(left: Uint32Array, right: Uint32Array): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(right, (column) => apply(left, column));
}

function apply(operator: Uint32Array, vector: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) {
    if ((vector >>> bit) & 1) sum ^= operator[bit] ?? 0;
  }
  return sum >>> 0;
}
