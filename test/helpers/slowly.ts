import { Transform } from 'node:stream';

/** Passes bytes on at a pace. */
export function slowly(bytesPerSecond: number): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      setTimeout(
        () => {
          done(null, chunk);
        },
        (chunk.length / bytesPerSecond) * 1000
      );
    },
  });
}
