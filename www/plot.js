/** plot.js - the last minutes of a few figures, drawn on a canvas. */

const SPAN = 300_000; // ms that a plot shows
const BREAK = 3500; // ms without a sample that are drawn as a hole
const STRIP = 3; // px at the bottom: live or from history

/** @typedef {{time: number, late: boolean, values: Record<string, number[]>}} Sample */

export class Plot {
  /**
   * @param {HTMLElement} figure
   * @param {{name: string, key: string, series: string[], top: (largest: number, sample: Sample) => number,
   *          format: (value: number) => string}} about
   */
  constructor(figure, about) {
    this.about = about;
    this.canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector('canvas'));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    this.value = /** @type {HTMLElement} */ (figure.querySelector('.value'));
    /** @type {number | undefined} where the pointer is, in CSS pixels */
    this.pointer = undefined;
    /** @type {HTMLElement} */ (figure.querySelector('.name')).textContent = about.name;
    this.readouts = about.series.map((name, i) => this.#readout(name, i));
    this.canvas.onpointermove = (event) => (this.pointer = event.offsetX);
    this.canvas.onpointerleave = () => (this.pointer = undefined);
  }

  /** @param {string} name @param {number} i */
  #readout(name, i) {
    const line = document.createElement('span');
    if (name) {
      const key = document.createElement('i');
      key.className = COLORS[i].slice(2);
      line.append(key, `${name} `);
    }
    const value = document.createElement('b');
    line.append(value);
    this.value.append(line);
    return value;
  }

  /** @param {Sample[]} samples in order @param {number} now @param {Record<string, string>} colors */
  draw(samples, now, colors) {
    const { canvas, context, about } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const shown = samples.filter((sample) => sample.time >= now - SPAN - BREAK);
    const last = shown.at(-1);
    const largest = Math.max(0, ...shown.flatMap((sample) => sample.values[about.key]));
    const top = last ? about.top(largest, last) : 1;
    const x = (/** @type {number} */ time) => width - ((now - time) / SPAN) * width;
    const y = (/** @type {number} */ value) => height - STRIP - 2 - (value / top) * (height - STRIP - 16);
    const marks = [0, top / 2, top];
    this.#grid(width, y, marks, colors);
    about.series.forEach((_, i) => this.#line(shown, i, x, y, colors));
    if (last) this.#labels(y, marks.slice(1), colors);
    else this.#nothing(width, height, colors);
    this.#strip(shown, x, height, colors);
    this.#read(shown, x, height, last, colors);
  }

  /**
   * @param {number} width @param {(value: number) => number} y @param {number[]} marks
   * @param {Record<string, string>} colors
   */
  #grid(width, y, marks, colors) {
    const { context } = this;
    context.lineWidth = 1;
    context.strokeStyle = colors['--grid'];
    for (const value of marks) {
      const at = Math.round(y(value)) + 0.5;
      context.beginPath();
      context.moveTo(0, at);
      context.lineTo(width, at);
      context.stroke();
    }
  }

  /** @param {number} width @param {number} height @param {Record<string, string>} colors */
  #nothing(width, height, colors) {
    const { context } = this;
    context.font = '12px system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillStyle = colors['--muted'];
    context.fillText('no figures yet', width / 2, height * 0.33);
    context.textAlign = 'start';
  }

  /**
   * Over the lines, with a rim in the colour of the ground.
   * @param {(value: number) => number} y @param {number[]} marks @param {Record<string, string>} colors
   */
  #labels(y, marks, colors) {
    const { context, about } = this;
    context.font = '10px system-ui, sans-serif';
    context.textBaseline = 'bottom';
    context.lineWidth = 3;
    context.strokeStyle = colors['--card'];
    context.fillStyle = colors['--muted'];
    for (const value of marks) {
      const at = Math.round(y(value)) - 0.5;
      context.strokeText(about.format(value), 0, at);
      context.fillText(about.format(value), 0, at);
    }
  }

  /**
   * @param {Sample[]} samples @param {number} i @param {(time: number) => number} x
   * @param {(value: number) => number} y @param {Record<string, string>} colors
   */
  #line(samples, i, x, y, colors) {
    const { context, about } = this;
    const line = new Path2D();
    const area = new Path2D();
    let before;
    for (const { time, values } of samples) {
      const at = [x(time), y(values[about.key][i])];
      if (before === undefined || time - before > BREAK) {
        if (before !== undefined) area.lineTo(x(before), y(0));
        line.moveTo(at[0], at[1]);
        area.moveTo(at[0], y(0));
      } else line.lineTo(at[0], at[1]);
      area.lineTo(at[0], at[1]);
      before = time;
    }
    if (before !== undefined) area.lineTo(x(before), y(0));
    context.strokeStyle = context.fillStyle = colors[COLORS[i]];
    if (i === 0) {
      context.globalAlpha = 0.12;
      context.fill(area);
      context.globalAlpha = 1;
    }
    context.lineWidth = 1.6;
    context.lineJoin = 'round';
    context.stroke(line);
  }

  /**
   * Along the bottom: what came live, and what history gave back.
   * @param {Sample[]} samples @param {(time: number) => number} x @param {number} height
   * @param {Record<string, string>} colors
   */
  #strip(samples, x, height, colors) {
    const { context } = this;
    samples.forEach(({ time, late }, i) => {
      const from = samples[i - 1] && time - samples[i - 1].time < BREAK ? samples[i - 1].time : time - 1000;
      context.fillStyle = colors[late ? '--history' : '--live'];
      context.fillRect(x(from), height - STRIP, x(time) - x(from) + 0.5, STRIP);
    });
  }

  /**
   * The newest figures, or those under the pointer.
   * @param {Sample[]} samples @param {(time: number) => number} x @param {number} height @param {Sample | undefined} last
   * @param {Record<string, string>} colors
   */
  #read(samples, x, height, last, colors) {
    const { context, about, pointer } = this;
    let sample = last;
    if (pointer !== undefined && sample) {
      for (const other of samples)
        if (Math.abs(x(other.time) - pointer) < Math.abs(x(sample.time) - pointer)) sample = other;
      context.fillStyle = colors['--muted'];
      context.fillRect(Math.round(x(sample.time)), 0, 1, height - STRIP);
    }
    const values = sample?.values[about.key].map(about.format) ?? about.series.map(() => '–');
    this.readouts.forEach((readout, i) => readout.textContent !== values[i] && (readout.textContent = values[i]));
    const label = `${about.name}: ${about.series.map((name, i) => `${name} ${values[i]}`).join(', ')}`;
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
  }
}

const COLORS = ['--one', '--two', '--three'];
const NAMES = [...COLORS, '--card', '--grid', '--muted', '--live', '--history'];

/** The style sheet's colours, as they are now. */
export function plotColors() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(name).trim()]));
}

export const KEPT = SPAN + 2 * BREAK;
