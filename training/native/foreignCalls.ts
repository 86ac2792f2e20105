// The one file that knows koffi, which calls C: how a library is opened, called in the background and lent memory.

import koffi, { type LibraryHandle } from 'koffi';

export type { LibraryHandle };
/** A function of a C library; arguments are numbers, strings, typed arrays and addresses. */
export type ForeignFunction = ReturnType<LibraryHandle['func']>;

/** koffi runs a background call on a stack of its own, by default 128 KiB; this is what a thread of Linux has. */
const stackBytes = 8 * 2 ** 20;

/** Opens a shared library; null is this process. Throws what koffi says if it cannot. */
export function openLibrary(path: string | null): LibraryHandle {
  // koffi takes settings only before a thread opens its first library
  if (koffi.config().async_stack_size! < stackBytes) koffi.config({ async_stack_size: stackBytes });
  return koffi.load(path);
}

/**
 * Calls a C function in a thread of libuv's pool. koffi does not hold the arguments meanwhile: whoever calls lends
 * addresses ({@link addressOf}) and keeps what they point to.
 */
export function callInBackground(
  native: ForeignFunction,
  values: readonly (number | bigint | null)[],
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  native.async(...values, (error: unknown, result: unknown) =>
    error ? reject(error) : resolve(result),
  );
  return promise;
}

/**
 * Address of an array's first number, for native code that keeps it or runs in the background. It is good only while
 * this thread keeps the array; touching `buffer` first moves a very small array out of the garbage collector's heap,
 * where it could move.
 */
export function addressOf(values: ArrayBufferView): bigint {
  return values.buffer.byteLength === 0 ? 0n : koffi.address(values);
}
