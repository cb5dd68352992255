import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS, violations } from './arrow.js';
import { ROOT, sourcesOf } from './sources.js';

describe('the arrow of the house', () => {
  it.each(ROOMS.map(({ folder }) => folder))('holds in %s', (folder) => {
    expect(existsSync(join(ROOT, folder)), `${folder} is a room`).toBe(true);
    const sources = sourcesOf(folder);
    expect(sources.length).toBeGreaterThan(0);
    expect(violations(sources)).toEqual([]);
  });

  it.each([
    ['src/law/x.ts', "import { a } from '../../attest/types.js';", 'attest/types.js is not for src'],
    ['src/x.ts', "import type { A } from '../daemon/ports.js';", 'daemon/ports.js is not for src'],
    ['src/x.ts', "import { readFileSync } from 'node:fs';", 'node:fs is not for src'],
    ['src/x.ts', "import ws from 'ws';", 'the package ws is not for src'],
    ['src/x.ts', "import { X509Certificate } from '@peculiar/x509';", 'the package @peculiar/x509 is not for src'],
    ['src/x.ts', 'const now = Date.now();', 'Date.now in a pure room'],
    ['src/x.ts', "import { randomBytes } from 'node:crypto';", 'randomBytes in a pure room'],
    ['attest/x.ts', "export * from '../verifier/store/verbs.js';", 'verifier/store/verbs.js is not for attest'],
    ['attest/x.ts', "const net = await import('node:net');", 'node:net is not for attest'],
    ['attest/x.ts', 'const any = await import(name);', 'an import that is computed'],
    ['attest/x.ts', "import { connect } from '../tpm2/src/index.js';", 'tpm2/src/index.js is not for attest'],
    ['daemon/x.ts', "import {\n  a,\n  b,\n} from '../verifier/log.js';", 'verifier/log.js is not for daemon'],
    ['verifier/api/x.ts', "import '../../daemon/main.js';", 'daemon/main.js is not for verifier'],
    ['daemon/x.ts', "import fastify from 'fastify';", 'the package fastify is not for daemon'],
    ['client/index.ts', "import { appraisePayment } from '../attest/verify/index.js';", 'attest/verify/index.js is not for client'],
    ['tpm2/src/x.ts', "import { z } from 'zod';", 'the package zod is not for tpm2/src'],
    ['tpm2/src/x.ts', "import { sha256 } from '../../src/base/bytes.js';", 'src/base/bytes.js is not for tpm2/src'],
    ['web/x.ts', '', 'it is in no room'],
  ])('is seen to break in %s', (path, text, reason) => {
    expect(violations([{ path, text }])).toEqual([`${path}: ${reason}`]);
  });

  it('lets through what each room needs', () => {
    const text = "// import x from 'fs'\nimport { z } from 'zod';\nimport { createHash } from 'node:crypto';\nexport { a } from './b.js';";
    expect(violations([{ path: 'src/deep/x.ts', text }, { path: 'cli/x.ts', text: "import '../daemon/a.js'; import '../verifier/b.js';" }])).toEqual([]);
  });
});
