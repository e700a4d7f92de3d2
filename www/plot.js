/** plot.js - the last minutes of a few figures, drawn on a canvas. */

const SPAN = 300_000; // ms that a plot shows
const BREAK = 3500; // ms without a sample that are drawn as a hole
const STRIP = 3; // px below the figures: live or from history
const AXIS = 15; // px at the bottom: the times of day
const LABEL = 52; // px that a time of day takes at least, with the room around it
const DASHES = [[], [6, 3], [2, 2]]; // of the series, where colours alone don't tell them apart

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
    const height = canvas.clientHeight - AXIS;
    if (!width) return; // nobody sees it
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round((height + AXIS) * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round((height + AXIS) * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height + AXIS);
    const shown = samples.filter((sample) => sample.time >= now - SPAN - BREAK);
    const last = shown.at(-1);
    const largest = Math.max(0, ...shown.flatMap((sample) => sample.values[about.key]));
    const top = last ? about.top(largest, last) : 1;
    const x = (/** @type {number} */ time) => width - ((now - time) / SPAN) * width;
    const y = (/** @type {number} */ value) => height - STRIP - 2 - (value / top) * (height - STRIP - 16);
    const marks = [0, top / 2, top];
    this.#grid(width, y, marks, colors);
    this.#axis(width, height, x, now, colors);
    about.series.forEach((_, i) => this.#line(shown, i, x, y, colors));
    if (last) this.#labels(y, marks.slice(1), colors);
    else this.#nothing(width, height, colors);
    this.#strip(shown, x, height, colors);
    this.#read(shown, x, width, height, last, colors);
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

  /**
   * The whole minutes, or each second or fifth of them, as there is room.
   * @param {number} width @param {number} height @param {(time: number) => number} x @param {number} now
   * @param {Record<string, string>} colors
   */
  #axis(width, height, x, now, colors) {
    const { context } = this;
    const room = (width / SPAN) * 60_000;
    const step = 60_000 * ([1, 2, 5].find((minutes) => minutes * room >= LABEL) ?? 5);
    this.#small(colors);
    context.textAlign = 'center';
    for (let time = Math.ceil((now - SPAN) / step) * step; time <= now; time += step) {
      const at = Math.round(x(time));
      context.fillStyle = colors['--grid'];
      context.fillRect(at, 0, 1, height - STRIP);
      context.fillStyle = colors['--muted'];
      if (at > LABEL / 3 && at < width - LABEL / 3) context.fillText(timeOfDay(time, 5), at, height + AXIS);
    }
    context.textAlign = 'start';
  }

  /** @param {Record<string, string>} colors */
  #small(colors) {
    this.context.font = '10px system-ui, sans-serif';
    this.context.textBaseline = 'bottom';
    this.context.fillStyle = colors['--muted'];
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
    this.#small(colors);
    context.lineWidth = 3;
    context.strokeStyle = colors['--card'];
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
    context.setLineDash(colors.forced ? DASHES[i] : []);
    context.stroke(line);
    context.setLineDash([]);
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

  /** On the axis, in place of what stands there. @param {number} time @param {number} at @param {number} height @param {Record<string, string>} colors */
  #time(time, at, height, colors) {
    const { context } = this;
    context.fillStyle = colors['--card'];
    context.fillRect(at - LABEL / 2, height, LABEL, AXIS);
    this.#small(colors);
    context.textAlign = 'center';
    context.fillText(timeOfDay(time, 8), at, height + AXIS);
    context.textAlign = 'start';
  }

  /**
   * The newest figures, or those under the pointer.
   * @param {Sample[]} samples @param {(time: number) => number} x @param {number} width @param {number} height
   * @param {Sample | undefined} last @param {Record<string, string>} colors
   */
  #read(samples, x, width, height, last, colors) {
    const { context, about, pointer } = this;
    let sample = last;
    if (pointer !== undefined && sample) {
      for (const other of samples)
        if (Math.abs(x(other.time) - pointer) < Math.abs(x(sample.time) - pointer)) sample = other;
      const at = Math.round(x(sample.time));
      context.fillStyle = colors['--muted'];
      context.fillRect(at, 0, 1, height - STRIP);
      this.#time(sample.time, Math.min(Math.max(at, LABEL / 2), width - LABEL / 2), height, colors);
    }
    const values = sample?.values[about.key].map(about.format) ?? about.series.map(() => '–');
    this.readouts.forEach((readout, i) => readout.textContent !== values[i] && (readout.textContent = values[i]));
    const label = `${about.name}, the last 5 minutes: ${about.series.map((name, i) => `${name} ${values[i]}`).join(', ')}`;
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
  }
}

/** @param {number} time @param {number} length of HH:MM:SS */
const timeOfDay = (time, length) => new Date(time).toLocaleTimeString('en-GB').slice(0, length);

const COLORS = ['--one', '--two', '--three'];
const NAMES = [...COLORS, '--card', '--grid', '--muted', '--live', '--history'];

/** The style sheet's colours, as they are now; `forced`: they are the reader's own. @returns {Record<string, string>} */
export function plotColors() {
  const style = getComputedStyle(document.documentElement);
  const forced = matchMedia('(forced-colors: active)').matches ? 'forced' : '';
  return { forced, ...Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(name).trim()])) };
}

export const KEPT = SPAN + 2 * BREAK;
