import type { Words } from '@/kit/words'
export default {
  nav: ['一张图', 'One Map'], queue: ['待我决断', 'For me to decide'], order: ['时限先后', 'Soonest first'], empty: ['此刻无事待决', 'Nothing waits for you'], emptyHint: ['数据 {age}，有事会自己出现在这里', 'Data {age}; what needs you will appear here'],
  mine: ['我已认领', 'Claimed by me'], claimedBy: ['{who} 已认领', 'Claimed by {who}'], today: ['今日', 'Today'], map: ['一张图：监测点、预警与人员', 'One Map: stations, warnings, people'], layers: ['图层', 'Layers'], legend: ['图例', 'Legend'],
  overview: ['{s} 街道 {c} 社区', '{s} subdistricts, {c} communities'], zoomIn: ['放大', 'Zoom in'], zoomOut: ['缩小', 'Zoom out'], whole: ['看全区', 'Whole district'], choose: ['在左边选一件事，或点图上的点', 'Choose a matter on the left or a point on the map'],
  chooseHint: ['证据、谁在应答、后果和签发都在这里，不换页', 'Evidence, who answers, consequence and signing stand here, without leaving the page'], axis: ['时间轴', 'Time axis'], rain: ['雨量 mm/15 分', 'Rain mm/15 min'], grades: ['预警', 'Warnings'], people: ['人与事', 'People'], noRain: ['附近没有在报的雨量计', 'No rain gauge reporting nearby'],
  window: ['失稳窗 p10–p90　{a} – {b}', 'Failure p10–p90 {a} – {b}'], now: ['现在', 'now'], mapFailed: ['地图画不出来', 'The map cannot be drawn'], mapFailedHint: ['这台机器的浏览器没有 WebGL 2，列表和签发照常可用', 'This browser has no WebGL 2; lists and signing still work'], schematic: ['示意边界', 'Schematic outlines'],
  decideLimit: ['决断限', 'decide by'], panel: ['这件事', 'This matter'], showMap: ['地图', 'Map'], more: ['另 {n} 层', '{n} more'],
} satisfies Words
