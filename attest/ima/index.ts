/** The IMA measurement list: what Linux measured of the files that it ran and read. */
export { type ImaEntry, type ImaFormat, IMA_LIMITS, formatOf, parseIma, parsePiece } from './list.js';
export { type Coverage, EXTENSIONS, type Extension, IMA_PCR, type ImaHead, coverage, extensionOf, imaStart, isHonest, replayIma } from './replay.js';
export { type FileDigest, digestOf, pathOf } from './template.js';
export { type ImaVerdict, judgeIma } from './judge.js';
export { type ImaRules, type ImaStanding, decodeImaStanding, encodeImaStanding, imaBeginning, imaFollows, imaStandingAt, imaVerdict, reach, takeEntries } from './running.js';
