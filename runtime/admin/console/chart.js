// A line chart of the last minutes, drawn from the right; it fills its width after half a minute.
// It repeats the figure beside it, so screen readers skip it.
import {el} from './dom.js';

const WIDTH = 300;

const FEWEST = 15;

export function sparkline(height) {
  const line = el('path', {class: 'line', 'vector-effect': 'non-scaling-stroke'});
  const area = el('path', {class: 'area'});
  const node = el('svg', {class: 'spark', viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true', focusable: 'false'}, area, line);
  return {
    node,
    set(values, top = Math.max(...values, 0)) {
      if (values.length < 2) {
        line.setAttribute('d', '');
        area.setAttribute('d', '');
        return;
      }
      const step = WIDTH / (Math.max(values.length, FEWEST) - 1);
      const from = WIDTH - step * (values.length - 1);
      const path = values.map((value, index) => {
        const y = height - 1.5 - (top > 0 ? (value / top) * (height - 4) : 0);
        return `${index === 0 ? 'M' : 'L'}${(from + index * step).toFixed(1)} ${y.toFixed(1)}`;
      }).join('');
      line.setAttribute('d', path);
      area.setAttribute('d', `${path}L${WIDTH} ${height}L${from.toFixed(1)} ${height}Z`);
    },
  };
}
