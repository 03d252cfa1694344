// A real browser, driven by the protocol of WebDriver: https://www.w3.org/TR/webdriver2/
import { program, freePort, start, end, until } from '../processes';
import { scratch } from '../run-script';

const ADVICE = 'apt-get install chromium chromium-driver';

/** A headless Chromium that reaches loopback only. */
export class Browser {
  public static async start(width: number, height: number): Promise<Browser> {
    const port = await freePort();
    const driver = start([program('CHROMEDRIVER', 'chromedriver', ADVICE), `--port=${port}`], { HOME: scratch() });
    const at = `http://127.0.0.1:${port}`;
    await until('chromedriver', async () => (await fetch(`${at}/status`)).ok || undefined);
    const args = [
      '--headless=new',
      '--no-sandbox', // the tests run as root
      '--disable-dev-shm-usage',
      '--no-proxy-server',
      '--disable-background-networking',
      '--hide-scrollbars',
      `--window-size=${width},${height}`,
      `--user-data-dir=${scratch()}`,
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ];
    const browser = new Browser(at, driver);
    const capabilities = { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { binary: program('CHROMIUM', 'chromium', ADVICE), args } } };
    const { sessionId } = await browser.ask<{ sessionId: string }>('POST', '/session', { capabilities });
    browser.session = `/session/${sessionId}`;
    await browser.resize(width, height);
    return browser;
  }

  private session = '';

  private constructor(
    private readonly at: string,
    private readonly driver: ReturnType<typeof start>,
  ) {}

  /** Sets the size of what is seen: the window has a head that is no part of the page. */
  public async resize(width: number, height: number): Promise<void> {
    const params = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.ask('POST', `${this.session}/goog/cdp/execute`, { cmd: 'Emulation.setDeviceMetricsOverride', params });
  }

  public async open(url: string): Promise<void> {
    await this.ask('POST', `${this.session}/url`, { url });
  }

  /** What a function body gives in the page. */
  public async run<T>(script: string, ...args: unknown[]): Promise<T> {
    return this.ask<T>('POST', `${this.session}/execute/sync`, { script, args });
  }

  /** The text that a user sees. */
  public async text(): Promise<string> {
    return this.run('return document.body.innerText');
  }

  /** Clicks on the first element with this text or label, once it is there. */
  public async click(what: string): Promise<void> {
    const script = `const found = [...document.querySelectorAll('*')].find((element) =>
        element.getAttribute('aria-label') === arguments[0] || (element.children.length === 0 && element.textContent.trim() === arguments[0]));
      found?.click();
      return found !== undefined;`;
    await until(`"${what}" on the page`, async () => (await this.run<boolean>(script, what)) || undefined, 60_000);
  }

  /** A PNG of what is seen. */
  public async picture(): Promise<Buffer> {
    return Buffer.from(await this.ask<string>('GET', `${this.session}/screenshot`), 'base64');
  }

  public async end(): Promise<void> {
    await end(this.driver);
  }

  private async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.at}${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const { value } = (await answer.json()) as { value: T & { error?: string; message?: string } };
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }
}
