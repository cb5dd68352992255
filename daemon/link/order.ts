/**
 * What the TPM signed first is sent first. A verifier takes a device's clock and sequence only as they rise, so a platform part that overtook a payment would
 * have it refused. Payments go beside each other, in the order in which they are journalled; a platform part goes alone: it waits for what is signed and not
 * sent yet, and what comes after it waits until it is sent.
 */
export class SigningOrder {
  /** Payments between signature and sending. */
  #payments = new Set<Promise<void>>();
  /** The platform part under way, and those that wait for it. */
  #platform: Promise<void> = Promise.resolve();

  /** @param work signs and sends, and returns when it is sent: what is awaited inside is awaited by the next platform part too */
  async payment<T>(work: () => Promise<T>): Promise<T> {
    for (let before; before !== this.#platform;) {
      before = this.#platform;
      await before;
    }
    const [sent, done] = milestone();
    this.#payments.add(sent);
    return work().finally(() => {
      this.#payments.delete(sent);
      done();
    });
  }

  /** @param work as of {@link payment} */
  async platform<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#platform;
    const [sent, done] = milestone();
    this.#platform = sent;
    await before;
    await Promise.all(this.#payments);
    return work().finally(done);
  }
}

function milestone(): [reached: Promise<void>, reach: () => void] {
  let reach: () => void = () => undefined;
  return [new Promise<void>((resolve) => { reach = resolve; }), () => reach()];
}
