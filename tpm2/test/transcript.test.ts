import { describe, expect, it } from 'vitest';
import { decode, decodeCommand, encode, encodeCommand, frameResponse, openResponse } from '../src/index.js';
import { hex, vectors } from './support/vectors.js';

const exchanges = vectors<{ command: string; response: string }[]>('transcript.json');

describe.skipIf(exchanges === null)('the recorded exchanges of a software TPM', () => {
  it('are 58', () => {
    expect(exchanges).toHaveLength(58);
  });

  it.each((exchanges ?? []).map((exchange, i) => ({ i, ...exchange, code: exchange.command.slice(12, 20) })))('exchange $i (command $code) decodes, and encodes to the same bytes', ({ command, response }) => {
    const message = decodeCommand(hex(command));
    expect(encodeCommand(message).toString('hex')).toBe(command);
    const answer = openResponse(message.row, hex(response));
    const parameters = answer.code === 0 ? encode(message.row.returns, decode(message.row.returns, answer.parameters)) : answer.parameters;
    expect(frameResponse({ ...answer, parameters }).toString('hex')).toBe(response);
  });

  it('are refused with one byte less or one more', () => {
    for (const { command, response } of exchanges ?? []) {
      expect(() => decodeCommand(hex(command).subarray(0, -1))).toThrow();
      expect(() => decodeCommand(Buffer.concat([hex(command), Buffer.of(0)]))).toThrow();
      const { row } = decodeCommand(hex(command));
      expect(() => openResponse(row, hex(response).subarray(0, -1))).toThrow();
      expect(() => openResponse(row, Buffer.concat([hex(response), Buffer.of(0)]))).toThrow();
    }
  });
});
